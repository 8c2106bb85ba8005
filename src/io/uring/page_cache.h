// internal: what the kernel holds of a file in memory.
#pragma once

#include <cstdint>

namespace firn::io::internal {

// Whether all of these bytes of a file are in the page cache, as cachestat(2) tells (Linux 6.5; before: never). They
// may leave it at any time. Does not wait.
bool in_page_cache(int fd, uint64_t offset, uint64_t bytes);

}  // namespace firn::io::internal
