#include "fuse/mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "fuse/fusermount.h"
#include "fuse/mount_point.h"
#include "fuse/protocol.h"

namespace firn::fuse {
namespace {

constexpr const char* kDevice = "/dev/fuse";

Result<Fd> open_device(int extra_flags) {
  Fd fd(open(kDevice, O_RDWR | O_CLOEXEC | extra_flags));
  if (fd) return fd;
  const int error = errno;
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    return fail(Code::kNoDevice, "/dev/fuse does not exist: load the module with: modprobe fuse");
  }
  if (error == EACCES || error == EPERM) {
    return fail(Code::kAccessDenied, "no permission to open /dev/fuse: its mode should be 0666");
  }
  return fail(Status::from_errno(error, kDevice));
}

Result<Mounted> mount_as_root(const MountOptions& options, std::string path) {
  Mounted mounted{.mount_point = std::move(path), .allow_other = options.allow_other.value_or(true), .as_root = true};
  mounted.device = TRY(open_device(0));
  const std::string data = mount_data(options, mounted.device.get(), mounted.allow_other);
  if (mount(options.source.c_str(), mounted.mount_point.c_str(), "fuse.firn", mount_flags(options), data.c_str()) !=
      0) {
    const int error = errno;
    if (error == EPERM) {
      return fail(Code::kNotPermitted,
                  fmt::format("mounting on {}: not permitted (no CAP_SYS_ADMIN here?)", mounted.mount_point));
    }
    if (error == ENODEV) return fail(Code::kNoDevice, "the kernel has no FUSE: load the module with: modprobe fuse");
    return fail(Status::from_errno(error, fmt::format("mounting on {}", mounted.mount_point)));
  }
  return mounted;
}

Result<Mounted> mount_as_user(const MountOptions& options, std::string path) {
  Mounted mounted{.mount_point = std::move(path), .allow_other = options.allow_other.value_or(false)};
  auto device = fusermount(mounted.mount_point, fusermount_options(options, mounted.allow_other));
  if (!device) {
    return fail(std::move(device.error()).with_context(fmt::format("mounting on {}", mounted.mount_point)));
  }
  mounted.device = *std::move(device);
  return mounted;
}

}  // namespace

Result<Mounted> mount_device(const MountOptions& options) {
  std::string path = TRY(prepare_mount_point(options));
  return geteuid() == 0 ? mount_as_root(options, std::move(path)) : mount_as_user(options, std::move(path));
}

Result<Fd> clone_device(const Fd& device) {
  Fd clone = TRY(open_device(O_NONBLOCK));
  uint32_t source = static_cast<uint32_t>(device.get());
  if (ioctl(clone.get(), kIoctlClone, &source) != 0) return fail(Status::from_errno(errno, "cloning /dev/fuse"));
  return clone;
}

Status unmount_path(const std::string& mount_point, UnmountOptions options) {
  if (geteuid() != 0) return fusermount_unmount(mount_point, options.lazy);
  const int flags = (options.lazy ? MNT_DETACH : 0) | (options.force ? MNT_FORCE : 0) | UMOUNT_NOFOLLOW;
  if (umount2(mount_point.c_str(), flags) == 0) return {};
  if (errno == EBUSY) {
    return {Code::kBusy, fmt::format("{} is in use; close its files, or use umount -l", mount_point)};
  }
  if (errno == EINVAL) return {Code::kInvalid, fmt::format("{} is not mounted", mount_point)};
  return Status::from_errno(errno, fmt::format("unmounting {}", mount_point));
}

}  // namespace firn::fuse
