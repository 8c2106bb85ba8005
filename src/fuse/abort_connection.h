// The end of a connection that nobody may unmount.
#pragma once

#include <sys/types.h>

#include "base/status.h"

namespace firn::fuse {

// Ends the connection of the FUSE file system `device` (st_dev of its files), wherever it is still mounted or used:
// whoever uses it gets ENOTCONN. For root, and for whoever mounted it where the control file system is mounted.
// Blocks. kNotFound: there is no such connection. Linux's Documentation/filesystems/fuse.rst, "Control filesystem".
Status abort_connection(dev_t device);

}  // namespace firn::fuse
