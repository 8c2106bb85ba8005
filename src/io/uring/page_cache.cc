#include "io/uring/page_cache.h"

#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451  // of every architecture
#endif

namespace firn::io::internal {
namespace {

// linux/mman.h: struct cachestat_range and struct cachestat.
struct Range {
  uint64_t offset, bytes;
};
struct CachedPages {
  uint64_t cached, dirty, writeback, evicted, recently_evicted;
};
static_assert(sizeof(Range) == 16 && sizeof(CachedPages) == 40);

}  // namespace

bool in_page_cache(int fd, uint64_t offset, uint64_t bytes) {
  static const auto kPageBytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (bytes == 0) return true;
  const Range range{offset, bytes};
  CachedPages pages{};
  if (syscall(SYS_cachestat, fd, &range, &pages, 0U) != 0) return false;
  return pages.cached >= (offset + bytes - 1) / kPageBytes - offset / kPageBytes + 1;
}

}  // namespace firn::io::internal
