#include "cli/inode_paths.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <cstring>

namespace firn::cli {
namespace {

constexpr uint64_t kRoot = 1;
// What the kernel makes of an inode of FUSE (fs/fuse/inode.c): the number's halves, and its generation.
constexpr unsigned kHandleBytes = 3 * sizeof(uint32_t);

}  // namespace

InodePaths::InodePaths(const std::string& mount_point)
    : mount_point_(mount_point), root_(open(mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

std::string InodePaths::path_of(uint64_t inode) const {
  if (inode == kRoot) return "/";
  alignas(file_handle) char room[sizeof(file_handle) + kHandleBytes];
  auto* handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = kHandleBytes;
  int mount = 0;
  // The root's own handle, with another number: inode numbers are never used twice, so the generation is the same.
  if (!root_ || name_to_handle_at(root_.get(), "", handle, &mount, AT_EMPTY_PATH) != 0) return "";
  const uint32_t halves[2] = {static_cast<uint32_t>(inode >> 32), static_cast<uint32_t>(inode)};
  if (handle->handle_bytes != kHandleBytes) return "";
  std::memcpy(handle->f_handle, halves, sizeof halves);
  const io::UniqueFd found(open_by_handle_at(root_.get(), handle, O_PATH | O_CLOEXEC));
  if (!found) return "";
  char path[PATH_MAX];
  const ssize_t length = readlink(fmt::format("/proc/self/fd/{}", found.get()).c_str(), path, sizeof path);
  if (length <= 0) return "";
  const std::string_view whole(path, static_cast<size_t>(length));
  if (!whole.starts_with(mount_point_ + "/")) return "";
  return std::string(whole.substr(mount_point_.size()));
}

}  // namespace firn::cli
