#include "kv/rocksdb/space_reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/time.h"

namespace firn::kv::rocks {

namespace {

constexpr int64_t kRetryNs = 1'000'000'000;
constexpr uint64_t kLeastBytes = 4 << 20;
constexpr uint64_t kShare = 50;  // of the disk: one of so many

uint64_t free_bytes(const std::string& path) {
  struct statvfs disk{};
  return statvfs(path.c_str(), &disk) == 0 ? disk.f_bavail * disk.f_frsize : 0;
}

uint64_t share_of_disk(const std::string& folder, uint64_t most) {
  struct statvfs disk{};
  if (statvfs(folder.c_str(), &disk) != 0) return most;
  return std::min(most, std::max(kLeastBytes, disk.f_blocks * disk.f_frsize / kShare));
}

}  // namespace

SpaceReserve::SpaceReserve(const std::string& folder, uint64_t most_bytes)
    : path_(folder + "/FIRN_RESERVE"), bytes_(share_of_disk(folder, most_bytes)) {
  struct stat left{};
  kept_ = stat(path_.c_str(), &left) == 0 && static_cast<uint64_t>(left.st_blocks) * 512 >= bytes_;
}

bool SpaceReserve::keep() {
  if (kept_.load(std::memory_order_relaxed)) return true;
  const std::lock_guard lock(mutex_);
  if (impossible_) return true;
  const int64_t now_ns = system_clock().monotonic_ns();
  if (kept_ || (tried_ns_ != 0 && now_ns - tried_ns_ < kRetryNs)) return kept_;
  const bool first = tried_ns_ == 0;
  tried_ns_ = now_ns;
  const std::string folder = path_.substr(0, path_.rfind('/'));
  kept_ = free_bytes(folder) >= 2 * bytes_ && make();
  if (kept_ && !first) log::info("{}: the disk has room for the metadata again", path_);
  if (!kept_ && first && !impossible_)
    log::warning("{}: the disk is nearly full: nothing is written until {} MiB are free", path_, bytes_ >> 19);
  return kept_ || impossible_;
}

bool SpaceReserve::make() {
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int failure = fd >= 0 && fallocate(fd, 0, 0, static_cast<off_t>(bytes_)) == 0 ? 0 : errno;
  if (fd >= 0) close(fd);
  if (failure == 0) return true;
  unlink(path_.c_str());
  impossible_ = failure != ENOSPC && failure != EDQUOT && failure != EINTR;
  if (impossible_) log::warning("{}: no room is kept for the metadata: {}", path_, strerror(failure));
  return false;
}

bool SpaceReserve::give_up() {
  const std::lock_guard lock(mutex_);
  if (!kept_.exchange(false)) return false;
  unlink(path_.c_str());
  tried_ns_ = system_clock().monotonic_ns();
  log::error(
      "{}: the disk is full: what was kept for the metadata is used now. Files can be removed; nothing is "
      "written until {} MiB are free",
      path_, bytes_ >> 19);
  return true;
}

}  // namespace firn::kv::rocks
