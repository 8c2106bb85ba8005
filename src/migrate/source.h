// What is migrated from: folders of any file system, read with ordinary system calls. All of this blocks: it is for a
// pool.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "io/unique_fd.h"
#include "meta/types.h"

namespace firn::migrate {

// A file of any file system, as long as it is there.
struct FileKey {
  uint64_t device = 0, inode = 0;
  friend auto operator<=>(const FileKey&, const FileKey&) = default;
};

struct SourceStat {
  FileKey key;
  meta::FileType type = meta::FileType::kRegular;
  uint32_t mode = 0;  // 07777
  uint32_t uid = 0, gid = 0;
  uint64_t links = 0, size = 0, allocated_bytes = 0, rdev = 0;
  Timestamp atime, mtime, ctime;

  // Whether a look at the same file later found it as it was.
  bool same_content(const SourceStat& later) const {
    return key == later.key && size == later.size && mtime == later.mtime && ctime == later.ctime;
  }
};

using Attributes = std::vector<std::pair<std::string, std::string>>;

// An entry of a folder as it was found, with whatever is small.
struct SourceEntry {
  std::string name;
  Status failure;  // it could not be read; what follows means nothing then, or not all of it
  SourceStat stat;
  Attributes xattrs;
  bool lost_xattrs = false;            // it has some of a kind that a volume does not keep
  std::string target;                  // symlinks
  std::optional<std::string> content;  // regular files of at most `content_bytes`
  io::UniqueFd file;                   // other regular files, open for reading
  uint64_t shown_bytes = 0;            // of its content, holes aside: read, and shown as progress
  bool is_equal = false;               // the migration has copied the same content before
  uint64_t shared_bytes = 0;           // of its content: in blocks that it has together with another file
};

struct Name {
  std::string name;
  bool is_folder = false;
};

// An open folder. Names are read in parts, so that one of millions takes no more memory than one of thousands.
class SourceFolder {
 public:
  // `name` in `parent` (AT_FDCWD: a path), not through a symlink.
  static Result<std::unique_ptr<SourceFolder>> open(int parent, const std::string& name);

  const SourceStat& stat() const { return stat_; }
  int fd() const { return fd_.get(); }
  // The next names, without "." and ".."; none: the end.
  Result<std::vector<Name>> next_names();
  Result<Attributes> xattrs(bool* lost) const;

 private:
  SourceFolder(io::UniqueFd fd, SourceStat stat) : fd_(std::move(fd)), stat_(stat) {}
  io::UniqueFd fd_;
  SourceStat stat_;
};

Result<SourceStat> stat_of(int folder, const std::string& name);
Result<SourceStat> stat_of(int file);

struct ReadOptions {
  uint64_t content_bytes = 0;  // regular files up to this size are read whole
  bool with_xattrs = true;
};

// The entry's failure says where it could not be read. A file that changes while it is read is read once more;
// kWouldBlock says that it changed again.
SourceEntry read_entry(int folder, const std::string& name, const ReadOptions& options);

// Fills `buffer` from `offset` on, up to the file's end.
Result<size_t> read_at(int file, uint64_t offset, std::span<std::byte> buffer);

// A part of a file that is not a hole; nullopt: there is none at or after `offset`.
struct Extent {
  uint64_t begin = 0, end = 0;
};
Result<std::optional<Extent>> next_extent(int file, uint64_t offset, uint64_t size);

}  // namespace firn::migrate
