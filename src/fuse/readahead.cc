#include "fuse/readahead.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <fstream>

namespace firn::fuse {
namespace {

std::string setting_of(dev_t device) {
  return fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", major(device), minor(device));
}

}  // namespace

Status set_readahead(dev_t device, uint64_t bytes) {
  const std::string path = setting_of(device);
  errno = 0;
  std::ofstream file(path);
  if (file << bytes / 1024 << std::flush) return {};
  return Status::from_errno(errno != 0 ? errno : EIO, path);
}

Result<uint64_t> readahead_of(dev_t device) {
  const std::string path = setting_of(device);
  uint64_t kib = 0;
  errno = 0;
  std::ifstream file(path);
  if (!(file >> kib)) return fail(Status::from_errno(errno != 0 ? errno : EIO, path));
  return kib * 1024;
}

}  // namespace firn::fuse
