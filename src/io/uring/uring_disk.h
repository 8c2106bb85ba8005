// io::Disk and io::File on a local file system through the current UringReactor's ring.
#pragma once

#include <memory>

#include "io/blocking_pool.h"
#include "io/disk.h"

namespace firn::io {

// What may wait for the device goes to the ring, and to `pool` (which must outlive the disk and its files) where the
// ring has no form for it; what the page cache answers runs inline.
std::unique_ptr<Disk> make_uring_disk(BlockingPool& pool);

// Wraps an open descriptor, which the File then owns. It must be open for buffered I/O: with O_SYNC or O_DIRECT, small
// writes would wait for the device on the reactor.
std::unique_ptr<File> make_uring_file(int fd, BlockingPool& pool);

}  // namespace firn::io
