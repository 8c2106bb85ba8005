// What a file on the ring does beyond what io::File promises.
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "io/test_environment.h"

namespace firn::io {
namespace {

// linux/mman.h: struct cachestat_range and struct cachestat, of every architecture from Linux 6.5 on.
constexpr long kCachestat = 451;
struct Range {
  uint64_t offset, bytes;
};
struct CachedPages {
  uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

// Of the file's first `bytes`, those that the device lacks.
uint64_t unwritten_pages(int fd, uint64_t bytes) {
  const Range range{0, bytes};
  CachedPages pages{};
  EXPECT_EQ(syscall(kCachestat, fd, &range, &pages, 0U), 0) << "needs Linux 6.5";
  return pages.dirty + pages.writeback;
}

// By themselves they would stay for half a minute.
Task<void> leave_early(TestEnvironment* env) {
  constexpr uint64_t kBytes = 4 << 20;
  constexpr int64_t kPauseNs = 10'000'000, kPatienceNs = 15'000'000'000;
  auto file = co_await env->disk().open(env->path("f"), {.write = true, .create = true});
  CO_REQUIRE(file);
  const std::vector<std::byte> data(kBytes, std::byte{7});
  EXPECT_TRUE(co_await (*file)->write(0, data));
  co_await (*file)->start_writeback(0, kBytes);
  const int64_t until_ns = env->reactor().clock().monotonic_ns() + kPatienceNs;
  while (unwritten_pages((*file)->fd(), kBytes) > 0 && env->reactor().clock().monotonic_ns() < until_ns)
    (void)co_await sleep_for(kPauseNs);
  EXPECT_EQ(unwritten_pages((*file)->fd(), kBytes), 0u);
}
TEST(UringFile, PagesLeaveForTheDeviceWithoutSync) {
  const auto environment = make_uring_environment();
  environment->run(leave_early(environment.get()));
}

}  // namespace
}  // namespace firn::io
