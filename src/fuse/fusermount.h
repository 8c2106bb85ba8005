// fusermount3: the set-uid helper through which ordinary users mount. Blocks.
#pragma once

#include <string>

#include "base/status.h"
#include "fuse/fd.h"

namespace firn::fuse {

// Mounts on `mount_point` with `options` (as of -o) and returns the connection's descriptor, which the helper hands
// over a socket named by the environment variable _FUSE_COMMFD.
Result<Fd> fusermount(const std::string& mount_point, const std::string& options);
Status fusermount_unmount(const std::string& mount_point, bool lazy);

}  // namespace firn::fuse
