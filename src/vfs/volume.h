// vfs::Volume: one file system, as the doors (FUSE, HTTP, later NFS and S3) see it. It joins the namespace
// (meta::Service) and the bytes (data::Store), and keeps the table of open files that all doors share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "io/lent_bytes.h"
#include "io/task.h"
#include "meta/service.h"
#include "vfs/tiers.h"

namespace firn::vfs {

using meta::Attr;
using meta::Credentials;

class Handle;  // an open file; made by open/create, ended by release
class DirHandle;

// How the door's kernel is to do I/O on an open file (FUSE); other doors ignore it.
enum class IoMode : uint8_t {
  kCached,       // through the door's page cache: READ and WRITE requests
  kDirect,       // READ and WRITE requests, no page cache
  kPassthrough,  // the kernel reads and writes Opened::passthrough_id by itself
};

// Open flags are open(2)'s: O_RDONLY/O_WRONLY/O_RDWR | O_TRUNC | O_APPEND | O_DIRECT | O_SYNC | O_NOATIME.
struct OpenOptions {
  int flags = 0;
  bool allow_passthrough = false;  // the door can do it (see set_passthrough_registrar)
};

struct Opened {
  Attr attr;
  Handle* handle = nullptr;
  IoMode mode = IoMode::kCached;
  int32_t passthrough_id = 0;  // kPassthrough: what the registrar returned
  bool asks = false;           // kPassthrough: READ and WRITE requests all the same, by this handle
  bool keep_cache = false;     // kCached: what the door's page cache holds of this file is still right
  bool existed = false;        // create(): the name was there
};

struct WriteOptions {
  bool kill_set_ids = false;  // the writer may not keep set-id bits (FUSE_WRITE_KILL_SUIDGID)
  bool append = false;        // at the end of file, whatever the offset says
  bool ends_there = false;    // for the writer the file ends at the offset: at the end, where that is further on by now
};

// What setattr changes; size is with the volume because it moves data.
struct Change {
  meta::SetAttr attributes;
  std::optional<uint64_t> size;
  bool may_resize = false;  // the caller has found out that `who` may
  // Only where this is the ctime, as getattr tells it, in the transaction that makes the change. kStale: it is another.
  // kBusy: as with unlink's `expected`.
  std::optional<Timestamp> guard;
};

struct Listed {
  std::string name;
  InodeId inode;
  meta::FileType type = meta::FileType::kRegular;
  // Resumes after this entry, through any handle and after a restart; stable while entries come and go. Of an entry
  // that has gone since, another handle knows it as far back as the log of events goes.
  uint64_t cookie = 0;
  std::optional<Attr> attr;  // when asked for; never for "." and ".."
};

struct StatFs {
  uint64_t block_bytes = 4096;
  uint64_t blocks = 0, free_blocks = 0, available_blocks = 0;
  uint64_t inodes = 0, free_inodes = 0;
  uint32_t max_name_bytes = 255;
  uint64_t most_file_bytes = INT64_MAX;
};

enum class SeekWhat : uint8_t { kData, kHole };

// Told about changes that a door's kernel may have cached and that did not come through that door.
// Called on any reactor, must not block; may be called while the change's own call is still running.
class CacheObserver {
 public:
  virtual ~CacheObserver() = default;
  virtual void inode_changed(InodeId inode, bool data_too) = 0;
  virtual void entry_changed(InodeId parent, std::string_view name) = 0;
  // False: it was told of something that it has not passed on yet; it keeps `waiter`, and cancels it once it has, or
  // never will. From any thread.
  virtual bool has_passed_on(std::shared_ptr<io::CancelToken> waiter) = 0;
};

// Who makes a change, so that observers are not told of what their own door did. 0: nobody's.
using DoorId = uint32_t;

struct VolumeOptions {
  meta::Service& meta;
  data::Store& data;
  Clock& clock;
  io::BlockingPool& pool;
  uint64_t inline_max_bytes = 16384;
  uint64_t boot_session = 0;  // of meta's begin_session
  // The last run ended cleanly (meta::Session::clean). Otherwise start() compares every record with its backing.
  bool clean = false;
  bool read_only = false;
  bool no_atime = false;
  // With less room on the disk, small files being written are not held in memory: writes then fail when they must.
  uint64_t memory_min_available_bytes = uint64_t{512} << 20;
  // Whether the disk is so full that only what removes something is to go on; asked often. Empty: it never is.
  std::function<bool()> short_of_space = {};
  int64_t sync_interval_ns = 1'000'000'000;  // unsynced changes are made durable this often
  const TierParts* tiers = nullptr;          // colder tiers; null: there are none
  // What is durable is what the tiers have, with the log that meta.sync() waits for; the local disk is a cache that may
  // be lost at any time. Without it: what the local disk has. Needs tiers, and doors without passthrough.
  bool durable_in_tiers = false;
  // Another machine writes the volume, whose records change without anybody saying so. With durable_in_tiers and
  // read_only; `meta` holds nothing in a cache and accepts nothing.
  bool follows = false;
  // Then: what fsync has to send of a file goes into its journal where it is so little, or into an object of its own;
  // in blocks of meta::kJournalBlockBytes, at once and in all. WrittenBlocks::kMost bounds the former, too.
  uint32_t journal_blocks_at_once = 64;
  uint32_t journal_blocks = meta::kMaxJournalBlocks;
};

struct VolumeStatistics {
  uint64_t known_inodes = 0;  // pinned by doors
  uint64_t open_files = 0;
  uint64_t passthrough_files = 0;
  uint64_t orphans_waiting = 0;
};

// Thread-safe; calls need a current reactor. Failures are POSIX's. Mutations are visible at once through every door,
// durable after fsync/sync_all, and otherwise within about options.sync_interval_ns.
class Volume {
 public:
  virtual ~Volume() = default;

  // ---- names ----
  virtual io::Task<Result<Attr>> lookup(const Credentials& who, InodeId parent, std::string_view name) = 0;
  // With spec.like also a regular file with its content, which is at most VolumeOptions::inline_max_bytes
  // (kFileTooBig): whoever sees the name sees all of it.
  virtual io::Task<Result<Attr>> make_node(const Credentials& who, InodeId parent, std::string_view name,
                                           const meta::NodeSpec& spec) = 0;
  virtual io::Task<Result<Attr>> link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) = 0;
  // `expected`, of these three (rename: RenameOptions::moves or replaces): the version, as getattr or lookup told it,
  // that the name must still name in the transaction that changes it, and that nobody has written to by then. kStale:
  // it is another. kBusy: a program has it open and writes past this process (passthrough), so nobody can tell.
  virtual io::Task<Result<void>> unlink(const Credentials& who, InodeId parent, std::string_view name,
                                        const Attr* expected) = 0;
  io::Task<Result<void>> unlink(const Credentials& who, InodeId parent, std::string_view name) {
    return unlink(who, parent, name, nullptr);
  }
  virtual io::Task<Result<void>> rmdir(const Credentials& who, InodeId parent, std::string_view name,
                                       const Attr* expected) = 0;
  io::Task<Result<void>> rmdir(const Credentials& who, InodeId parent, std::string_view name) {
    return rmdir(who, parent, name, nullptr);
  }
  virtual io::Task<Result<void>> rename(const Credentials& who, InodeId parent, std::string_view name,
                                        InodeId new_parent, std::string_view new_name, meta::RenameOptions options) = 0;
  virtual io::Task<Result<std::string>> readlink(InodeId inode) = 0;

  // ---- attributes ----
  virtual io::Task<Result<Attr>> getattr(InodeId inode) = 0;
  // `handle` (may be null): the open file that ftruncate came through. who.witness is not told of a file that a program
  // writes past this process (passthrough).
  virtual io::Task<Result<Attr>> setattr(const Credentials& who, InodeId inode, const Change& change,
                                         Handle* handle) = 0;
  virtual io::Task<Result<void>> access(const Credentials& who, InodeId inode, int mask) = 0;
  virtual io::Task<Result<std::string>> getxattr(const Credentials& who, InodeId inode, std::string_view name) = 0;
  virtual io::Task<Result<void>> setxattr(const Credentials& who, InodeId inode, std::string_view name,
                                          std::string_view value, meta::XattrMode mode) = 0;
  virtual io::Task<Result<std::vector<std::string>>> listxattr(const Credentials& who, InodeId inode) = 0;
  virtual io::Task<Result<void>> removexattr(const Credentials& who, InodeId inode, std::string_view name) = 0;

  // ---- open files ----
  virtual io::Task<Result<Opened>> open(const Credentials& who, InodeId inode, OpenOptions options) = 0;
  // open(O_CREAT). spec.content is ignored.
  virtual io::Task<Result<Opened>> create(const Credentials& who, InodeId parent, std::string_view name,
                                          const meta::NodeSpec& spec, OpenOptions options) = 0;
  // open(O_TMPFILE) in directory `parent`.
  virtual io::Task<Result<Opened>> create_unnamed(const Credentials& who, InodeId parent, const meta::NodeSpec& spec,
                                                  OpenOptions options) = 0;
  // Ends the handle, whatever it returns; a failure says that what was written could not be kept.
  virtual io::Task<Result<void>> release(Handle* handle) = 0;
  // The same after what else is ready on this reactor: for a door that nobody waits at. Returns at once.
  virtual void release_later(Handle* handle) = 0;
  static InodeId inode_of(const Handle* handle);

  // With `lent`, which may be null, what lies in memory is lent where it can be, instead of copied to its place in
  // `buffer`; after a failure what was lent is of no use.
  virtual io::Task<Result<size_t>> read(Handle* handle, uint64_t offset, std::span<std::byte> buffer,
                                        io::LentBytes* lent) = 0;
  io::Task<Result<size_t>> read(Handle* handle, uint64_t offset, std::span<std::byte> buffer) {
    return read(handle, offset, buffer, nullptr);
  }
  // The file on the local disk that has all of the content now, for doors that send it without copying; null where only
  // read() will do: the content is with the metadata, in memory, or in colder tiers. It stays that while the handle is
  // open, and is not evicted; what others write, or cut off, is written and cut off there.
  virtual std::shared_ptr<io::File> backing(Handle* handle) = 0;
  virtual io::Task<Result<size_t>> write(Handle* handle, uint64_t offset, std::span<const std::byte> data,
                                         WriteOptions options) = 0;
  virtual io::Task<Result<void>> fsync(Handle* handle, bool data_only) = 0;
  // For whoever writes much from front to back and makes it durable then (StreamWriter); neither changes what anybody
  // reads. Blocks for what is about to be written there, beyond the end too: writing is cheaper with them. Only of a
  // file that nobody else knows, and that goes if those bytes do not come.
  virtual io::Task<void> reserve(Handle* /*handle*/, uint64_t /*offset*/, uint64_t /*bytes*/) { co_return; }
  // The disk begins to write what was written there; returns once it was asked. io::File::start_writeback.
  virtual io::Task<void> start_writeback(Handle* /*handle*/, uint64_t /*offset*/, uint64_t /*bytes*/) { co_return; }
  virtual io::Task<Result<void>> allocate(Handle* handle, io::Allocate mode, uint64_t offset, uint64_t bytes) = 0;
  virtual io::Task<Result<uint64_t>> seek(Handle* handle, SeekWhat what, uint64_t offset) = 0;
  // Up to `bytes`; returns how many, 0 at the source's end.
  virtual io::Task<Result<uint64_t>> copy_range(Handle* source, uint64_t source_offset, Handle* target,
                                                uint64_t target_offset, uint64_t bytes) = 0;

  // ---- directories ----
  virtual io::Task<Result<DirHandle*>> open_directory(const Credentials& who, InodeId inode) = 0;
  virtual void release_directory(DirHandle* handle) = 0;
  // Entries after `cookie` (0: from the start, with "." and ".." first), at most `limit`; none: the end. kInvalid:
  // nobody knows where that is.
  virtual io::Task<Result<std::vector<Listed>>> list(DirHandle* handle, uint64_t cookie, size_t limit,
                                                     bool attributes) = 0;
  // For doors without handles, that remember where they were by a name: entries in byte order of their names, after
  // `name` (empty: from the start), without "." and ".." and cookies, with attributes. Fewer than `limit`: the end.
  // Whether `who` may read the directory is for the caller to ask (access).
  virtual io::Task<Result<std::vector<Listed>>> list_after(InodeId directory, std::string name, size_t limit) = 0;
  // Durability of the directory's names.
  virtual io::Task<Result<void>> fsync_directory(InodeId inode) = 0;

  // ---- whole volume ----
  virtual io::Task<Result<void>> sync_all() = 0;
  virtual io::Task<Result<StatFs>> statfs() = 0;
  virtual VolumeStatistics statistics() const = 0;
  // How often the local disk has failed to keep what was written to files, also in the background, where nobody waited
  // for it: whoever wrote since the last sync that succeeded must take that for lost. The kernel says so once and then
  // no more. A file that was open meanwhile gets the failure from the next fsync of each of its handles.
  virtual uint64_t writes_lost() const { return 0; }

  // Files that are open for writing, through whichever door.
  virtual std::vector<InodeId> files_being_written() { return {}; }

  // ---- colder tiers; kNotSupported where there are none ----
  // Uploads what is pending until nothing is, or nothing more can be: the summary says why. `only`: of these files;
  // null: of all.
  virtual io::Task<Result<tier::UploadSummary>> flush_tiers(const FileSet* only, io::CancelToken* token) = 0;
  // Frees the local disk's copy of a file; reading brings it back. The bytes freed. kBusy: somebody has it open or
  // mapped, or its policy keeps it. kWouldBlock: colder tiers lack something of it. kCorrupt: none of them is known to
  // have all of it undamaged.
  virtual io::Task<Result<uint64_t>> evict(InodeId inode) = 0;
  // Brings all of a file back to the local disk. The bytes that were away.
  virtual io::Task<Result<uint64_t>> warm(InodeId inode, io::CancelToken* token) = 0;
  virtual io::Task<Result<Residency>> residency(InodeId inode) = 0;
  // Nearest first; none where there are no tiers.
  virtual const std::vector<std::string>& tier_names() const = 0;
  // meta::Service's. Attr has the policy; vfs/policy.h says it in words.
  virtual io::Task<Result<Attr>> set_policy(const Credentials& who, InodeId inode, meta::PolicyChange change) = 0;
  // In order of inode numbers, above `after`.
  virtual io::Task<Result<std::vector<PendingFile>>> list_pending(InodeId after, size_t limit) = 0;
  // Runs `then` while nobody opens the file. False: somebody has it open, or it is gone, or has no backing.
  virtual io::Task<Result<bool>> at_rest(InodeId inode, tier::AtRest then) = 0;
  virtual TierStatistics tier_statistics() const = 0;

  // ---- what a door's kernel holds ----
  // The door handed `inode` to its kernel once more (LOOKUP, CREATE, READDIRPLUS …): it is not reclaimed until unpinned
  // as often.
  virtual void pin(InodeId inode) = 0;
  virtual io::Task<void> unpin(InodeId inode, uint64_t count) = 0;

  // Registers a backing descriptor with the FUSE connection and returns its id, or <= 0 when that failed; and the
  // inverse. Set before the first open that allows passthrough, cleared (nullptr) when the connection ends.
  virtual void set_passthrough_registrar(std::function<int32_t(int fd)> open,
                                         std::function<void(int32_t id)> close) = 0;
  virtual void add_observer(DoorId door, CacheObserver* observer) = 0;  // whoever keeps pages of files has to
  virtual void remove_observer(DoorId door) = 0;
  // Until others than `door` have passed on what they were told of so far: whoever is then told that a change is done
  // finds it through them. Waits for half a second at most: a kernel may be busy. To be awaited
  // with nothing held that answers to a kernel wait for.
  virtual io::Task<void> observers_know(DoorId door) = 0;

  // Recovers what a crash left, then starts background work on the current reactor.
  virtual io::Task<Result<void>> start() = 0;
  // Ends background work, finishes open files, syncs. No call may be running or follow.
  virtual io::Task<Result<void>> stop() = 0;
};

std::unique_ptr<Volume> make_volume(VolumeOptions options);

}  // namespace firn::vfs
