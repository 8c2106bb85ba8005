#include "io/uring/uring_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "io/uring/uring_reactor.h"

namespace firn::io {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

Result<void> check(int32_t result, const char* call, const std::string& path) {
  if (result >= 0) return {};
  return fail(Status::from_errno(-result, std::string(call) + " " + path));
}

Timestamp to_timestamp(const statx_timestamp& time) { return {time.tv_sec, time.tv_nsec}; }

FileStat to_stat(const struct statx& stx) {
  return {.bytes = stx.stx_size,
          .allocated_bytes = stx.stx_blocks * 512,
          .atime = to_timestamp(stx.stx_atime),
          .mtime = to_timestamp(stx.stx_mtime),
          .ctime = to_timestamp(stx.stx_ctime),
          .is_directory = S_ISDIR(stx.stx_mode)};
}

Result<std::vector<std::string>> list_names(const std::string& path) {
  DIR* directory = opendir(path.c_str());
  if (!directory) return fail(Status::from_errno(errno, "opendir " + path));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  closedir(directory);
  if (error) return fail(Status::from_errno(error, "readdir " + path));
  return names;
}

// `path` must outlive the call, as a coroutine's own parameter does.
auto ring_open(const std::string& path, int flags) {
  return UringReactor::current()->submit(
      [name = path.c_str(), flags](io_uring_sqe* sqe) { io_uring_prep_openat(sqe, AT_FDCWD, name, flags, kFileMode); });
}

class UringDisk final : public Disk {
 public:
  explicit UringDisk(BlockingPool& pool) : pool_(pool) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenOptions options) override {
    int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY);
    if (options.create) flags |= O_CREAT;
    if (options.exclusive) flags |= O_EXCL;
    if (options.no_atime) flags |= O_NOATIME;
    int32_t fd = co_await ring_open(path, flags);
    // Only a file's owner may ask for O_NOATIME; it is a wish, not a need.
    if (fd == -EPERM && options.no_atime) fd = co_await ring_open(path, flags & ~O_NOATIME);
    CO_TRY(check(fd, "open", path));
    co_return make_uring_file(fd, pool_);
  }

  Task<Result<void>> make_directory(std::string path) override {
    const int32_t result = co_await UringReactor::current()->submit(
        [&path](io_uring_sqe* sqe) { io_uring_prep_mkdirat(sqe, AT_FDCWD, path.c_str(), kDirectoryMode); });
    co_return check(result, "mkdir", path);
  }

  Task<Result<void>> rename(std::string from, std::string to) override {
    const int32_t result = co_await UringReactor::current()->submit([&from, &to](io_uring_sqe* sqe) {
      io_uring_prep_renameat(sqe, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0);
    });
    co_return check(result, "rename", from);
  }

  Task<Result<void>> unlink(std::string path) override {
    const int32_t result = co_await UringReactor::current()->submit(
        [&path](io_uring_sqe* sqe) { io_uring_prep_unlinkat(sqe, AT_FDCWD, path.c_str(), 0); });
    co_return check(result, "unlink", path);
  }

  Task<Result<FileStat>> stat(std::string path) override {
    struct statx stx{};
    const int32_t result = co_await UringReactor::current()->submit([&path, &stx](io_uring_sqe* sqe) {
      io_uring_prep_statx(sqe, AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &stx);
    });
    CO_TRY(check(result, "stat", path));
    co_return to_stat(stx);
  }

  Task<Result<std::vector<std::string>>> list(std::string path) override {
    co_return co_await pool_.run([&path] { return list_names(path); });
  }

  Task<Result<void>> sync_directory(std::string path) override {
    const int32_t fd = co_await ring_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CO_TRY(check(fd, "open", path));
    const int32_t result =
        co_await UringReactor::current()->submit([fd](io_uring_sqe* sqe) { io_uring_prep_fsync(sqe, fd, 0); });
    close(fd);
    co_return check(result, "fsync", path);
  }

  Task<Result<DiskUsage>> usage(std::string path) override {
    struct statvfs vfs{};
    const int error = co_await pool_.run([&path, &vfs] { return statvfs(path.c_str(), &vfs) == 0 ? 0 : errno; });
    CO_TRY(check(-error, "statvfs", path));
    co_return DiskUsage{.total_bytes = vfs.f_blocks * vfs.f_frsize,
                        .free_bytes = vfs.f_bfree * vfs.f_frsize,
                        .available_bytes = vfs.f_bavail * vfs.f_frsize,
                        .total_files = vfs.f_files,
                        .free_files = vfs.f_ffree};
  }

  Task<Result<void>> sync_filesystem(std::string path) override {
    const int32_t fd = co_await ring_open(path, O_RDONLY | O_CLOEXEC);
    CO_TRY(check(fd, "open", path));
    const int error = co_await pool_.run([fd] { return syncfs(fd) == 0 ? 0 : errno; });
    close(fd);
    co_return check(-error, "syncfs", path);
  }

 private:
  BlockingPool& pool_;
};

}  // namespace

std::unique_ptr<Disk> make_uring_disk(BlockingPool& pool) { return std::make_unique<UringDisk>(pool); }

}  // namespace firn::io
