// meta::Service: the namespace. Every operation of POSIX on names, attributes, links and extended attributes.
// LocalService (local_service.h) implements it over kv; a later RPC stub implements the same interface.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/task.h"
#include "kv/kv.h"
#include "meta/types.h"

namespace firn::meta {

// What a new inode is to be like where it is brought from elsewhere. All of it is in the transaction that makes the
// inode.
struct Likeness {
  uint32_t uid = 0, gid = 0;
  Timestamp atime, mtime;
  // Any that setxattr takes, access control lists too. An access list decides the mode.
  std::vector<std::pair<std::string, std::string>> xattrs;
  std::string content;  // regular files whose spec has no content: the inline value
};

// What a new inode is made of.
struct NodeSpec {
  FileType type = FileType::kRegular;
  uint32_t mode = 0;  // as passed by the caller; the service applies umask or the parent's default ACL
  uint32_t umask = 0;
  uint64_t rdev = 0;   // devices
  std::string target;  // symlinks
  Content content;     // regular files: a lent backing, or none
  // Only for the privileged; must outlive the call. Then `mode` is taken as it is: no umask, no list of the parent's.
  const Likeness* like = nullptr;
};

struct Created {
  Attr attr;
  bool existed = false;  // only with Service::create: the name was there, attr is what it names
};

// Absent fields stay as they are. Times "now" are the service's clock at commit.
struct SetAttr {
  std::optional<uint32_t> mode, uid, gid;
  std::optional<Timestamp> atime, mtime, ctime;
  bool atime_now = false, mtime_now = false;
  // Size changes carry their data side through ContentUpdate; here only for what the permission rules need.
  std::optional<uint32_t> flags;
  bool kill_set_ids =
      false;  // clear setuid, and setgid where group execute is set: a write or truncate by an unprivileged user
  const Attr* expected = nullptr;  // borrowed; where the inode is another version (same_version), kStale
  // What somebody was told the ctime is: it becomes later. Without `ctime`.
  std::optional<Timestamp> told_ctime;
  bool only_checks = false;  // changes nothing, and fails as the change would
};

struct Removed {
  Attr attr;               // after the removal: nlink 0 means that an orphan record was written, unless
  bool reclaimed = false;  // the inode's records are gone too; the caller removes its backing
};

struct UnlinkOptions {
  // An inode that nobody has open, which the caller keeps so until the call returned. Is the name its last one, then it
  // is reclaimed in the same transaction (unless colder tiers know it).
  InodeId unheld = {};
  const Attr* expected = nullptr;  // borrowed; where the name names another version (same_version), kStale
};

struct RenameOptions {
  bool no_replace = false;  // RENAME_NOREPLACE
  bool exchange = false;    // RENAME_EXCHANGE
  // Borrowed; where the name names another version (same_version), or nothing any more, kStale. Not both.
  const Attr* moves = nullptr;
  const Attr* replaces = nullptr;
};

struct Renamed {
  Attr moved;
  std::optional<Attr> replaced;  // what the new name named before; nlink 0: orphaned. With exchange: the other one.
};

struct ReaddirOptions {
  size_t limit = 128;
  bool attributes = false;
};

struct InodePage {
  std::vector<Attr> inodes;
  InodeId last;  // of the last record read; 0: there was none
  uint64_t undecodable = 0;
};

enum class XattrMode : uint8_t { kEither, kCreate, kReplace };

struct Usage {
  uint64_t inodes = 0;
  uint64_t bytes = 0;  // allocated, inline content included
  // Settled files that are pinned to the local disk, and those that no colder tier is to have.
  uint64_t pinned_files = 0, pinned_bytes = 0, local_files = 0, local_bytes = 0;
};

struct Access {
  InodeId inode;
  Timestamp time;
};

// Thread-safe; calls need a current reactor. Every method enforces permissions for `who` (POSIX.1-2017 and Linux
// where POSIX is silent) unless who.kernel_checked. Names are any bytes but '/' and NUL, 1 to 255 of them; "." and ".."
// are never passed. Mutations are visible at once, durable after sync().
// Failures are POSIX's for the call of the same name; kCorrupt when a stored record cannot be decoded.
class Service {
 public:
  virtual ~Service() = default;

  // `who` needs search permission on `parent`.
  virtual io::Task<Result<Attr>> lookup(const Credentials& who, InodeId parent, std::string_view name) = 0;
  virtual io::Task<Result<Attr>> getattr(InodeId inode) = 0;
  virtual io::Task<Result<Attr>> setattr(const Credentials& who, InodeId inode, const SetAttr& change) = 0;
  // mask: R_OK | W_OK | X_OK.
  virtual io::Task<Result<void>> access(const Credentials& who, InodeId inode, int mask) = 0;

  // Makes a node of any type: mkdir, mknod, symlink. kExists when the name is taken.
  virtual io::Task<Result<Attr>> make_node(const Credentials& who, InodeId parent, std::string_view name,
                                           const NodeSpec& spec) = 0;
  // open(O_CREAT): makes a regular file, or yields what the name names (existed = true; `exclusive`: kExists).
  virtual io::Task<Result<Created>> create(const Credentials& who, InodeId parent, std::string_view name,
                                           const NodeSpec& spec, bool exclusive) = 0;
  // open(O_TMPFILE): a regular file without a name, on the orphan list until link() names it.
  virtual io::Task<Result<Attr>> create_unnamed(const Credentials& who, InodeId parent, const NodeSpec& spec) = 0;
  virtual io::Task<Result<Attr>> link(const Credentials& who, InodeId inode, InodeId parent, std::string_view name) = 0;
  virtual io::Task<Result<Removed>> unlink(const Credentials& who, InodeId parent, std::string_view name,
                                           UnlinkOptions options) = 0;
  io::Task<Result<Removed>> unlink(const Credentials& who, InodeId parent, std::string_view name) {
    return unlink(who, parent, name, {});
  }
  // `expected`: as UnlinkOptions'.
  virtual io::Task<Result<Removed>> rmdir(const Credentials& who, InodeId parent, std::string_view name,
                                          const Attr* expected) = 0;
  io::Task<Result<Removed>> rmdir(const Credentials& who, InodeId parent, std::string_view name) {
    return rmdir(who, parent, name, nullptr);
  }
  virtual io::Task<Result<Renamed>> rename(const Credentials& who, InodeId parent, std::string_view name,
                                           InodeId new_parent, std::string_view new_name, RenameOptions options) = 0;
  virtual io::Task<Result<std::string>> readlink(InodeId inode) = 0;
  // Entries in byte order of their names, after `after` (exclusive; empty: from the start), without "." and "..".
  // Fewer than options.limit: the end. Permission is the opener's business (access).
  virtual io::Task<Result<std::vector<DirEntry>>> readdir(InodeId directory, std::string_view after,
                                                          ReaddirOptions options) = 0;
  // A name for which `is_it` holds, and that was taken from the directory: removed or renamed, the latest first, as far
  // back as the log of events goes. nullopt: there is none, or no log.
  virtual io::Task<Result<std::optional<std::string>>> find_former_name(
      InodeId directory, std::function<bool(std::string_view)> is_it) = 0;

  // Names carry their namespace ("user.x"). "system.posix_acl_access" and "system.posix_acl_default" hold the
  // kernel's xattr representation; setting the access ACL updates the mode bits and the other way round.
  virtual io::Task<Result<std::string>> getxattr(const Credentials& who, InodeId inode, std::string_view name) = 0;
  virtual io::Task<Result<void>> setxattr(const Credentials& who, InodeId inode, std::string_view name,
                                          std::string_view value, XattrMode mode) = 0;
  virtual io::Task<Result<std::vector<std::string>>> listxattr(const Credentials& who, InodeId inode) = 0;
  virtual io::Task<Result<void>> removexattr(const Credentials& who, InodeId inode, std::string_view name) = 0;

  // What is wanted of colder tiers for a file, or for what a directory will hold. For its owner. kNotPermitted also for
  // what has none: symlinks and the like. A file that tiers lack something of by then is pending, another is not.
  virtual io::Task<Result<Attr>> set_policy(const Credentials& who, InodeId inode, PolicyChange change) = 0;

  // The inline value; empty when there is none.
  virtual io::Task<Result<std::string>> read_inline(InodeId inode) = 0;
  // No permission check: the caller holds the file open.
  virtual io::Task<Result<Attr>> update_content(InodeId inode, const ContentUpdate& update) = 0;
  // Access times, where they are newer than the records'; several inodes to a transaction. Inodes that are gone are
  // passed over. `accesses` must outlive the task.
  virtual io::Task<Result<void>> record_accesses(std::span<const Access> accesses) = 0;

  // Removes an orphan's records (inode, inline value, xattrs, orphan record), with bounded work per transaction. The
  // caller has made sure that nobody has it open, and removes its backing afterwards. No-op when it is no orphan (any
  // more). Returns its last attributes.
  virtual io::Task<Result<std::optional<Attr>>> reclaim(InodeId inode) = 0;
  // Up to `limit` orphans with inode numbers above `after`.
  virtual io::Task<Result<std::vector<InodeId>>> list_orphans(InodeId after, size_t limit) = 0;
  // Inodes whose content is `live`: what a crash left open. Up to `limit` above `after`.
  virtual io::Task<Result<std::vector<Attr>>> list_live(InodeId after, size_t limit) = 0;

  // Every inode, in order: up to `limit` records above `after`. For recovery: a record that does not parse is counted.
  virtual io::Task<Result<InodePage>> list_inodes(InodeId after, size_t limit) = 0;

  virtual io::Task<Result<Usage>> usage() = 0;

  // The engine's: see kv::Engine.
  virtual kv::Version last_version() const = 0;
  virtual io::Task<Result<void>> sync(kv::Version version) = 0;
  virtual Result<void> flush_to_os() = 0;
};

}  // namespace firn::meta
