#include "fuse/abort_connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "fuse/fd.h"

namespace firn::fuse {
namespace {

constexpr const char* kControl = "/sys/fs/fuse/connections";

// The control file system, mounted nowhere.
Result<Fd> control_of_our_own() {
  const Fd context(fsopen("fusectl", FSOPEN_CLOEXEC));
  if (!context || fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fail(Status::from_errno(errno, "fusectl"));
  Fd control(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!control) return fail(Status::from_errno(errno, "fusectl"));
  return control;
}

}  // namespace

Status abort_connection(dev_t device) {
  const std::string name = fmt::format("{}/abort", minor(device));
  Fd file(open(fmt::format("{}/{}", kControl, name).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) {
    const Fd control = TRY(control_of_our_own());
    file = Fd(openat(control.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
  }
  if (!file || write(file.get(), "1", 1) != 1)
    return Status::from_errno(errno, fmt::format("ending FUSE connection {}", minor(device)));
  return {};
}

}  // namespace firn::fuse
