#include "object/dir/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fmt/format.h>
#include <cerrno>
#include <ctime>
#include <memory>

#include "base/random.h"

namespace firn::object::dir {

namespace {

constexpr const char* kTemporary = ".tmp";
constexpr time_t kDaySeconds = 24 * 60 * 60;
constexpr uint64_t kPartBytes = 256 << 10;  // read at a time

Status failure(int error, const std::string& what) {
  Status status = Status::from_errno(error, what);
  switch (error) {
    case ENOENT:
    case EEXIST:
      return status;
    case ENOSPC:
    case EDQUOT:
      return Status(Code::kNoSpace, status.message());
    case EACCES:
    case EPERM:
    case EROFS:
      return Status(Code::kAccessDenied, status.message());
    default:
      return Status(Code::kUnavailable, status.message());
  }
}

std::string marker_text(const std::string& id) {
  return "A firn object store. Do not remove this file.\nid " + id + "\n";
}

Result<std::string> read_marker(int folder) {
  const io::UniqueFd file(::openat(folder, kMarker, O_RDONLY | O_CLOEXEC));
  if (!file) return fail(failure(errno, kMarker));
  char text[256];
  const ssize_t got = ::pread(file.get(), text, sizeof text, 0);
  if (got < 0) return fail(failure(errno, kMarker));
  return std::string(text, static_cast<size_t>(got));
}

Status write_all(int fd, const Content& content) {
  for (const auto& piece : content.pieces()) {
    std::string_view rest = *piece;
    while (!rest.empty()) {
      const ssize_t written = ::write(fd, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failure(errno, "write");
      rest.remove_prefix(static_cast<size_t>(written));
    }
  }
  return {};
}

Status write_file(int folder, const std::string& name, const Content& content) {
  io::UniqueFd file(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return failure(errno, "create " + name);
  if (Status written = write_all(file.get(), content); !written.ok()) return written;
  if (::fsync(file.get()) != 0) return failure(errno, "sync " + name);
  // A network file system may report here what did not arrive.
  if (::close(file.release()) != 0) return failure(errno, "close " + name);
  return {};
}

Status sync_folder(int root, const std::string& path) {
  const io::UniqueFd folder(::openat(root, path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return failure(errno, "open " + path);
  // Some network file systems have no sync of a folder, because theirs is synchronous.
  if (::fsync(folder.get()) != 0 && errno != EINVAL && errno != EOPNOTSUPP) return failure(errno, "sync " + path);
  return {};
}

std::string parent_of(const std::string& key) {
  const size_t slash = key.rfind('/');
  return slash == std::string::npos ? "" : key.substr(0, slash);
}

// Whether there is anything in the folder but what a store puts there; some systems put a lost+found.
bool is_empty(int folder) {
  const int duplicate = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(duplicate), ::closedir);
  if (!entries) return false;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != "lost+found" && name != kTemporary && name != kMarker) return false;
  }
  return true;
}

}  // namespace

int FileSystem::link(int folder, const std::string& existing, const std::string& name) const {
  return ::linkat(folder, existing.c_str(), folder, name.c_str(), 0) == 0 ? 0 : errno;
}

// What has no block device has the major number 0: network file systems, FUSE, 9p and virtiofs, but also tmpfs,
// overlayfs and Btrfs, which have links.
bool FileSystem::is_local(int folder) const {
  struct stat stat{};
  return ::fstat(folder, &stat) == 0 && major(stat.st_dev) != 0;
}

const FileSystem& Root::kernel() {
  static const FileSystem real;
  return real;
}

Result<Root> Root::open(const std::string& path, const std::string& id, const FileSystem& file_system) {
  Root root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), file_system);
  if (!root.fd_) {
    Status status = failure(errno, path);
    return fail(status.code() == Code::kNotFound ? Code::kNoDevice : status.code(), status.message());
  }
  Result<std::string> marker = read_marker(root.fd_.get());
  if (!marker && marker.error().code() == Code::kNotFound)
    return fail(Code::kNoDevice, path + " has no file " + kMarker + ": is the disk or share mounted there?");
  if (!marker) return fail(std::move(marker).error().with_context(path));
  if (!id.empty() && *marker != marker_text(id)) return fail(Code::kNoDevice, path + " is the store of another volume");
  return root;
}

Status Root::create(const std::string& path, const std::string& id) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (Status synced = sync_folder(AT_FDCWD, path + "/.."); !synced.ok()) return synced;
  } else if (errno != EEXIST) {
    return failure(errno, path);
  }
  Root root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), kernel());
  if (!root.fd_) return failure(errno, path);
  const Result<std::string> marker = read_marker(root.fd_.get());
  if (marker && *marker == marker_text(id)) return {};
  if (marker) return Status(Code::kExists, path + " is already the store of another volume");
  if (!is_empty(root.fd_.get())) return Status(Code::kExists, path + " is not empty");
  Status written = root.put(kMarker, Content(marker_text(id)), IfPresent::kRefuse);
  return written.ok() ? written : std::move(written).with_context(path);
}

Status Root::destroy(const std::string& path, const std::string& id) {
  Result<Root> opened = open(path, id);
  if (!opened) return opened.error().code() == Code::kNoDevice ? Status() : opened.error();
  const int folder = opened->fd_.get();
  // Those that are empty.
  for (const char* name : {kTemporary, "probe"}) ::unlinkat(folder, name, AT_REMOVEDIR);
  if (!is_empty(folder)) return Status(Code::kNotEmpty, path + " is not empty");
  return opened->remove(kMarker);
}

Status Root::make_parents(const std::string& key) {
  for (size_t slash = key.find('/'); slash != std::string::npos; slash = key.find('/', slash + 1)) {
    const std::string folder = key.substr(0, slash);
    if (::mkdirat(fd_.get(), folder.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return failure(errno, "make the folder " + folder);
    }
    if (Status synced = sync_folder(fd_.get(), parent_of(folder)); !synced.ok()) return synced;
  }
  return {};
}

// link(2) fails where the name is taken, and asks a share's server that. Where a file system has no links, renameat2(2)
// may know how; but that the name is free is looked at by this machine's kernel (Linux: vfs_rename), before it tells a
// share's server, which may be told to replace (SMB 2 and 3: smb2_rename_path; commit 0a7c3937a1f2 tells of the race).
Status Root::publish(const std::string& temporary, const std::string& key, IfPresent if_present) {
  if (if_present == IfPresent::kReplace)
    return ::renameat(fd_.get(), temporary.c_str(), fd_.get(), key.c_str()) == 0 ? Status()
                                                                                 : failure(errno, "rename to " + key);
  const int error = file_system_->link(fd_.get(), temporary, key);
  if (error == 0) {
    ::unlinkat(fd_.get(), temporary.c_str(), 0);
    return {};
  }
  if (error == EEXIST) return Status(Code::kExists, "the object " + key + " exists");
  if (error != EPERM && error != EOPNOTSUPP && error != ENOSYS) return failure(error, "link " + key);
  if (if_present == IfPresent::kRefuseOfMachines && !file_system_->is_local(fd_.get()))
    return Status(
        Code::kNotSupported,
        "a share without hard links cannot keep two machines that write there apart; it can be a nearer tier, "
        "but for the last one use a share of a file system that has them (not of FAT or exFAT), NFS or a "
        "bucket");
  if (::syscall(SYS_renameat2, fd_.get(), temporary.c_str(), fd_.get(), key.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno == EEXIST) return Status(Code::kExists, "the object " + key + " exists");
  return failure(errno, "create " + key + " only if absent");
}

Status Root::put(const std::string& key, const Content& content, IfPresent if_present) {
  if (::mkdirat(fd_.get(), kTemporary, 0700) != 0 && errno != EEXIST) return failure(errno, kTemporary);
  if (Status made = make_parents(key); !made.ok()) return made;
  const std::string temporary =
      fmt::format("{}/{:016x}{:016x}", kTemporary, system_random().next(), system_random().next());
  Status status = write_file(fd_.get(), temporary, content);
  if (status.ok()) status = publish(temporary, key, if_present);
  if (!status.ok()) {
    ::unlinkat(fd_.get(), temporary.c_str(), 0);
    return status;
  }
  return sync_folder(fd_.get(), parent_of(key));
}

Result<Fetched> Root::get(const std::string& key, uint64_t offset, uint64_t bytes,
                          const std::function<void(uint64_t bytes)>& on_arrival) {
  const io::UniqueFd file(::openat(fd_.get(), key.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(failure(errno, "the object " + key));
  struct stat stat{};
  if (::fstat(file.get(), &stat) != 0) return fail(failure(errno, key));
  Fetched fetched{.object_bytes = static_cast<uint64_t>(stat.st_size)};
  if (offset >= fetched.object_bytes) return fetched;
  const size_t wanted = std::min(bytes, fetched.object_bytes - offset);
  // The system is asked for it as a whole, and tells part by part that it comes.
  if (wanted > kPartBytes)
    (void)::posix_fadvise(file.get(), static_cast<off_t>(offset), static_cast<off_t>(wanted), POSIX_FADV_WILLNEED);
  size_t have = 0;
  int error = 0;
  fetched.bytes.resize_and_overwrite(wanted, [&](char* buffer, size_t) {
    while (have < wanted) {
      const size_t part = std::min(wanted - have, kPartBytes);
      const ssize_t got = ::pread(file.get(), buffer + have, part, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) error = errno;
      if (got <= 0) break;
      have += static_cast<size_t>(got);
      if (on_arrival) on_arrival(static_cast<uint64_t>(got));
    }
    return have;
  });
  if (error != 0) return fail(failure(error, "read " + key));
  if (have < wanted) return fail(Code::kUnavailable, "the object " + key + " shrank while it was read");
  return fetched;
}

Result<ObjectInfo> Root::head(const std::string& key) {
  struct stat stat{};
  if (::fstatat(fd_.get(), key.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(failure(errno, "the object " + key));
  if (!S_ISREG(stat.st_mode)) return fail(Code::kNotFound, "the object " + key + " is not a file");
  return ObjectInfo{.bytes = static_cast<uint64_t>(stat.st_size)};
}

Status Root::remove(const std::string& key) {
  if (::unlinkat(fd_.get(), key.c_str(), 0) == 0) return sync_folder(fd_.get(), parent_of(key));
  return errno == ENOENT || errno == ENOTDIR ? Status() : failure(errno, "remove " + key);
}

void Root::sweep() {
  const int folder = ::openat(fd_.get(), kTemporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(folder < 0 ? nullptr : ::fdopendir(folder), ::closedir);
  if (!entries) return;
  const time_t long_ago = ::time(nullptr) - kDaySeconds;
  while (const dirent* entry = ::readdir(entries.get())) {
    struct stat stat{};
    if (::fstatat(folder, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode) &&
        stat.st_mtime < long_ago)
      ::unlinkat(folder, entry->d_name, 0);
  }
}

}  // namespace firn::object::dir
