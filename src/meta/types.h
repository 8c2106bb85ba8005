// What an inode is, as every layer above the store sees it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace firn::meta {

inline constexpr size_t kMaxNameBytes = 255;
inline constexpr size_t kMaxSymlinkBytes = 4095;
inline constexpr size_t kMaxXattrNameBytes = 255;
inline constexpr size_t kMaxXattrValueBytes = 65536;
inline constexpr uint32_t kMaxLinks = 65000;  // what ext4 allows; POSIX wants EMLINK somewhere

enum class FileType : uint8_t {
  kRegular = 1,
  kDirectory = 2,
  kSymlink = 3,
  kFifo = 4,
  kSocket = 5,
  kCharDevice = 6,
  kBlockDevice = 7,
};

// FS_IOC_GETFLAGS bits that firn honours.
inline constexpr uint32_t kFlagImmutable = 0x10;
inline constexpr uint32_t kFlagAppend = 0x20;

// Where a regular file's bytes are. Invariants:
//  1. No backing: the content is the inline value (`N` key), or all zero bytes up to size when that is absent.
//  2. A settled backing holds the content; there is no inline value.
//  3. An unsettled backing is a scratch file lent to an open file (data::Store::lend). Within the machine boot
//     `boot_session` it holds the newest content; after another boot it is void and the inline value, which
//     holds what was last synced, is the content.
//  4. While `live`, the backing file's own size and times are newer than the inode's: after a crash ask it.
struct Content {
  BackingId backing;
  bool settled = false;
  bool live = false;
  uint64_t boot_session = 0;
  // Tiered volumes, settled content. 5. uploaded_generation <= generation; equal: every colder tier that is to have the
  // file has every chunk.
  // 6. Evicted content has been uploaded (to the tiers of then), is not live, and its backing holds nothing.
  uint64_t generation = 0;
  uint64_t uploaded_generation = 0;
  bool evicted = false;
  // 7. The chunk records make up one whole version of the file, of so many bytes; absent: none was uploaded whole yet.
  std::optional<uint64_t> uploaded_size;
  // 8. Which folder of backings `backing` is in (Options::hot_id). In any other folder it means nothing: see
  // forget_foreign_backing().
  uint64_t hot_id = 0;
  // 9. Volumes that live in a colder tier: at most so many blocks of the file are in its journal (Tiering), over the
  // chunks: both together are the version of 7. Other content has none.
  uint32_t journal_blocks = 0;
  // Grows whenever chunk records and journal become another version.
  uint64_t uploaded_version = 0;
  // How often it was opened before it was evicted (vfs/access_counts.h); 0: nobody knows.
  int64_t access_level = 0;
  friend bool operator==(const Content&, const Content&) = default;
};

// What is wanted of colder tiers for a file. A folder's is what is made in it begins with.
inline constexpr uint32_t kEveryTier = 0xff;  // however many there are
struct Policy {
  uint32_t skip = 0;    // a bit for each tier that is not to have the file, nearest first; kEveryTier: none is
  bool pinned = false;  // the local disk keeps it
  bool skips_every_tier() const { return skip == kEveryTier; }
  // It is not evicted.
  bool stays_hot() const { return pinned || skips_every_tier(); }
  friend bool operator==(const Policy&, const Policy&) = default;
};

inline bool may_have_policy(FileType type) { return type == FileType::kRegular || type == FileType::kDirectory; }

// Absent: stays as it is.
struct PolicyChange {
  std::optional<uint32_t> skip;
  std::optional<bool> pinned;
};

struct Attr {
  InodeId inode;
  FileType type = FileType::kRegular;
  uint32_t mode = 0;  // permission bits and set-id/sticky: mode & 07777
  uint32_t nlink = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t rdev = 0;
  uint64_t size = 0;
  uint64_t allocated_bytes = 0;
  Timestamp atime, mtime, ctime, btime;
  uint32_t flags = 0;        // kFlag*
  uint32_t xattr_count = 0;  // 0: getxattr need not look
  InodeId parent;            // directories only; the root's is itself
  Content content;           // regular files only
  Policy policy;             // regular files and directories only
};

// What tells an inode's versions apart.
struct Version {
  uint64_t size = 0;
  Timestamp mtime, ctime;
  friend bool operator==(const Version&, const Version&) = default;
};
inline Version version_of(const Attr& attr) { return {.size = attr.size, .mtime = attr.mtime, .ctime = attr.ctime}; }

// Whether both are the same version of the same file: nobody has written it, or changed what it is, in between.
inline bool same_version(const Attr& a, const Attr& b) { return a.inode == b.inode && version_of(a) == version_of(b); }

// What tells a client's request from all others, for doors whose clients ask again; zeros: none.
using RequestId = std::array<uint64_t, 2>;

class Witness;

// A change of a regular file's bytes, committed as one transaction.
struct ContentUpdate {
  std::optional<uint64_t> size;
  std::optional<uint64_t> allocated_bytes;
  std::optional<std::string> inline_data;  // becomes the inline value; empty removes it
  std::optional<Content> content;
  std::optional<Timestamp> atime, mtime;
  std::optional<Timestamp> ctime;  // raised to this when it is later than the stored one; absent: stays
  bool kill_set_ids = false;
  Witness* witness = nullptr;  // as that of Credentials
};

// Who asks.
struct Credentials {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;  // supplementary; may be unknown (empty) at the FUSE door
  // The door's kernel has enforced access already (default_permissions): checks that it makes are not repeated.
  bool kernel_checked = false;
  // Which door asks (vfs::DoorId): caches of the other doors are told of the change. 0: none.
  uint32_t door = 0;
  // Borrowed, until the call has returned: is told what the call changes. Null: nobody wants to know.
  Witness* witness = nullptr;

  bool privileged() const { return uid == 0; }
  bool in_group(uint32_t group) const {
    if (gid == group) return true;
    for (uint32_t g : groups)
      if (g == group) return true;
    return false;
  }
};

struct DirEntry {
  std::string name;
  InodeId inode;
  FileType type = FileType::kRegular;
  std::optional<Attr> attr;  // with ReaddirOptions::attributes; absent when the inode vanished meanwhile
};

}  // namespace firn::meta
