// Attaching a FUSE connection to a directory and detaching it. Everything here blocks: not on a reactor.
#pragma once

#include <string>

#include "base/status.h"
#include "fuse/fd.h"
#include "fuse/mount_options.h"

namespace firn::fuse {

// A connection that is mounted, before INIT.
struct Mounted {
  Fd device;
  std::string mount_point;  // absolute, symlinks resolved
  bool allow_other = false;
  bool as_root = false;
};

// Checks the mount point, opens /dev/fuse, mounts: with mount(2) as root, with fusermount3 otherwise.
// Detaches a dead mount of the same source, or of one that is gone, first. Failures have a one-line message that says
// what to do.
Result<Mounted> mount_device(const MountOptions& options);

// Another descriptor of the same connection, which does not block.
Result<Fd> clone_device(const Fd& device);

struct UnmountOptions {
  bool lazy = false;   // MNT_DETACH: out of the tree at once, gone when nobody uses it any more
  bool force = false;  // MNT_FORCE: whoever waits for the file system gets an error at once; root only
};
// kBusy while somebody uses it; kInvalid when nothing is mounted there.
Status unmount_path(const std::string& mount_point, UnmountOptions options);

}  // namespace firn::fuse
