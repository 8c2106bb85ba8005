#include "migrate/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace firn::migrate {

namespace {

constexpr size_t kListBytes = 256 << 10;
constexpr size_t kMaxNamesBytes = 64 << 10;  // XATTR_LIST_MAX

Timestamp time_of(const statx_timestamp& time) { return {time.tv_sec, time.tv_nsec}; }

meta::FileType type_of(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return meta::FileType::kDirectory;
    case S_IFLNK:
      return meta::FileType::kSymlink;
    case S_IFIFO:
      return meta::FileType::kFifo;
    case S_IFSOCK:
      return meta::FileType::kSocket;
    case S_IFCHR:
      return meta::FileType::kCharDevice;
    case S_IFBLK:
      return meta::FileType::kBlockDevice;
    default:
      return meta::FileType::kRegular;
  }
}

Result<SourceStat> look(int folder, const char* name, int flags) {
  struct statx found{};
  if (statx(folder, name, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found) != 0)
    return fail(Status::from_errno(errno, "stat"));
  return SourceStat{.key = {makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino},
                    .type = type_of(found.stx_mode),
                    .mode = found.stx_mode & 07777u,
                    .uid = found.stx_uid,
                    .gid = found.stx_gid,
                    .links = found.stx_nlink,
                    .size = found.stx_size,
                    .allocated_bytes = found.stx_blocks * 512,
                    .rdev = makedev(found.stx_rdev_major, found.stx_rdev_minor),
                    .atime = time_of(found.stx_atime),
                    .mtime = time_of(found.stx_mtime),
                    .ctime = time_of(found.stx_ctime)};
}

// Only the owner and root may read without leaving an access time.
int open_quietly(int folder, const char* name, int flags) {
  const int fd = openat(folder, name, flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
  if (fd >= 0 || errno != EPERM) return fd;
  return openat(folder, name, flags | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

// Where extended attributes are: an open file, or a name in an open folder.
struct AttributeSource {
  int fd = -1;
  std::string path;

  ssize_t list(char* buffer, size_t bytes) const {
    return fd >= 0 ? flistxattr(fd, buffer, bytes) : llistxattr(path.c_str(), buffer, bytes);
  }
  ssize_t get(const char* name, char* buffer, size_t bytes) const {
    return fd >= 0 ? fgetxattr(fd, name, buffer, bytes) : lgetxattr(path.c_str(), name, buffer, bytes);
  }
};

bool is_kept(std::string_view name) {
  if (name.starts_with("user.firn.")) return false;  // what another volume says of its own tiers
  for (const std::string_view space : {"user.", "trusted.", "security.", "system.posix_acl_"})
    if (name.starts_with(space)) return true;
  return false;
}

Result<Attributes> read_attributes(const AttributeSource& source, bool* lost) {
  // Most files have none: that costs one call and no memory.
  const ssize_t listed = source.list(nullptr, 0);
  if (listed == 0 || (listed < 0 && errno == ENOTSUP)) return Attributes();
  if (listed < 0) return fail(Status::from_errno(errno, "listing extended attributes"));
  std::string names(kMaxNamesBytes, '\0');
  const ssize_t bytes = source.list(names.data(), names.size());
  if (bytes < 0) return fail(Status::from_errno(errno, "listing extended attributes"));
  names.resize(static_cast<size_t>(bytes));
  Attributes attributes;
  std::string value(meta::kMaxXattrValueBytes, '\0');
  for (size_t at = 0; at < names.size();) {
    const std::string name(names.c_str() + at);
    at += name.size() + 1;
    if (!is_kept(name)) {
      *lost = true;
      continue;
    }
    const ssize_t got = source.get(name.c_str(), value.data(), value.size());
    if (got < 0 && errno == ENODATA) continue;  // removed since
    if (got < 0) return fail(Status::from_errno(errno, fmt::format("reading the attribute {}", name)));
    attributes.emplace_back(name, value.substr(0, static_cast<size_t>(got)));
  }
  return attributes;
}

Result<std::string> read_whole(int file, uint64_t size) {
  std::string content(size, '\0');
  const size_t got = TRY(read_at(file, 0, std::as_writable_bytes(std::span(content))));
  content.resize(got);
  return content;
}

Status read_regular(int folder, const ReadOptions& options, SourceEntry& entry) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    // What is no regular file by now does not keep us waiting.
    io::UniqueFd file(open_quietly(folder, entry.name.c_str(), O_NONBLOCK));
    if (!file) return Status::from_errno(errno, "open");
    entry.stat = TRY(stat_of(file.get()));
    if (entry.stat.type != meta::FileType::kRegular) return Status(Code::kWouldBlock, "it became another kind of file");
    if (options.with_xattrs) entry.xattrs = TRY(read_attributes({.fd = file.get(), .path = {}}, &entry.lost_xattrs));
    if (entry.stat.size > options.content_bytes) {
      entry.file = std::move(file);
      return {};
    }
    entry.content = TRY(read_whole(file.get(), entry.stat.size));
    const SourceStat after = TRY(stat_of(file.get()));
    if (entry.stat.same_content(after) && entry.content->size() == after.size) return {};
  }
  entry.content.reset();
  return Status(Code::kWouldBlock, "it changed while it was read, twice");
}

Status read_target(int folder, SourceEntry& entry) {
  std::string target(meta::kMaxSymlinkBytes + 2, '\0');
  const ssize_t got = readlinkat(folder, entry.name.c_str(), target.data(), target.size());
  if (got < 0) return Status::from_errno(errno, "readlink");
  target.resize(static_cast<size_t>(got));
  entry.target = std::move(target);
  return {};
}

Status read_into(int folder, const ReadOptions& options, SourceEntry& entry) {
  entry.stat = TRY(stat_of(folder, entry.name));
  if (entry.stat.type == meta::FileType::kRegular) return read_regular(folder, options, entry);
  if (entry.stat.type == meta::FileType::kSymlink) TRY(read_target(folder, entry));
  if (!options.with_xattrs || entry.stat.type == meta::FileType::kDirectory) return {};
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder, entry.name);
  entry.xattrs = TRY(read_attributes({.fd = -1, .path = path}, &entry.lost_xattrs));
  return {};
}

}  // namespace

Result<SourceStat> stat_of(int folder, const std::string& name) {
  return look(folder, name.c_str(), AT_SYMLINK_NOFOLLOW);
}

Result<SourceStat> stat_of(int file) { return look(file, "", AT_EMPTY_PATH); }

Result<std::unique_ptr<SourceFolder>> SourceFolder::open(int parent, const std::string& name) {
  io::UniqueFd fd(open_quietly(parent, name.c_str(), O_DIRECTORY));
  if (!fd) return fail(Status::from_errno(errno, "open"));
  const SourceStat stat = TRY(stat_of(fd.get()));
  return std::unique_ptr<SourceFolder>(new SourceFolder(std::move(fd), stat));
}

Result<Attributes> SourceFolder::xattrs(bool* lost) const {
  return read_attributes({.fd = fd_.get(), .path = {}}, lost);
}

Result<std::vector<Name>> SourceFolder::next_names() {
  struct Entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[1];
  };
  std::vector<Name> names;
  std::vector<char> buffer(kListBytes);
  while (names.empty()) {
    const long got = syscall(SYS_getdents64, fd_.get(), buffer.data(), buffer.size());
    if (got < 0) return fail(Status::from_errno(errno, "listing"));
    if (got == 0) break;
    for (long at = 0; at < got;) {
      const char* record = buffer.data() + at;
      uint16_t bytes = 0;
      std::memcpy(&bytes, record + offsetof(Entry, bytes), sizeof bytes);
      at += bytes;
      const auto type = static_cast<uint8_t>(record[offsetof(Entry, type)]);
      Name one{.name = record + offsetof(Entry, name), .is_folder = type == DT_DIR};
      if (one.name == "." || one.name == "..") continue;
      if (type == DT_UNKNOWN) {
        const auto stat = stat_of(fd_.get(), one.name);
        one.is_folder = stat && stat->type == meta::FileType::kDirectory;
      }
      names.push_back(std::move(one));
    }
  }
  return names;
}

SourceEntry read_entry(int folder, const std::string& name, const ReadOptions& options) {
  SourceEntry entry;
  entry.name = name;
  entry.failure = read_into(folder, options, entry);
  return entry;
}

Result<size_t> read_at(int file, uint64_t offset, std::span<std::byte> buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t got = pread(file, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Status::from_errno(errno, "read"));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

Result<std::optional<Extent>> next_extent(int file, uint64_t offset, uint64_t size) {
  if (offset >= size) return std::nullopt;
  const off_t begin = lseek(file, static_cast<off_t>(offset), SEEK_DATA);
  if (begin < 0 && errno == ENXIO) return std::nullopt;
  if (begin < 0 && errno == EINVAL) return Extent{offset, size};  // the file system has no holes
  if (begin < 0) return fail(Status::from_errno(errno, "looking for holes"));
  const off_t end = lseek(file, begin, SEEK_HOLE);
  if (end < 0) return fail(Status::from_errno(errno, "looking for holes"));
  if (static_cast<uint64_t>(begin) >= size) return std::nullopt;
  return Extent{static_cast<uint64_t>(begin), std::min(static_cast<uint64_t>(end), size)};
}

}  // namespace firn::migrate
