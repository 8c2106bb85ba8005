// How far the kernel reads ahead of processes that read a mount's files in order, and around faults of mappings.
//
// A new FUSE mount has 128 KiB; INIT can only lower that. The rest is the device's read_ahead_kb in sysfs, which root
// may write (Documentation/ABI/testing/sysfs-class-bdi). Files in passthrough have their own file system's.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/status.h"

namespace firn::fuse {

// `device` is the mount's st_dev; whole pages. Block shortly.
Status set_readahead(dev_t device, uint64_t bytes);
Result<uint64_t> readahead_of(dev_t device);

}  // namespace firn::fuse
