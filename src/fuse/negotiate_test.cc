#include "fuse/negotiate.h"

#include <gtest/gtest.h>

namespace firn::fuse {
namespace {

fuse_init_in newest() {
  fuse_init_in in{};
  in.major = 7;
  in.minor = 45;
  in.max_readahead = 131072;
  in.flags = 0xffffffff;
  in.flags2 = 0xffffffff;
  return in;
}

TEST(Negotiate, TakesWhatBothHave) {
  const InitAnswer answer = negotiate(newest(), {.passthrough = true, .io_uring = true});
  EXPECT_FALSE(answer.again);
  EXPECT_FALSE(answer.too_old);
  EXPECT_TRUE(answer.agreed.passthrough);
  EXPECT_TRUE(answer.agreed.io_uring);
  EXPECT_TRUE(answer.agreed.has(FUSE_PARALLEL_DIROPS));
  EXPECT_TRUE(answer.agreed.has(FUSE_POSIX_ACL));
  EXPECT_FALSE(answer.agreed.has(FUSE_WRITEBACK_CACHE)) << "the kernel refuses it together with passthrough";
  EXPECT_FALSE(answer.agreed.has(FUSE_POSIX_LOCKS));
  EXPECT_FALSE(answer.agreed.has(FUSE_FLOCK_LOCKS));
  EXPECT_EQ(answer.out.max_write, 1U << 20);
  EXPECT_EQ(answer.out.max_pages, 256);
  EXPECT_EQ(answer.out.max_stack_depth, 1U);
  EXPECT_EQ(answer.out.flags2 >> (41 - 32) & 1, 1U);
}

TEST(Negotiate, LowersTheReadahead) {
  EXPECT_EQ(negotiate(newest(), {}).out.max_readahead, 131072U);
  EXPECT_EQ(negotiate(newest(), {.readahead = 65536}).out.max_readahead, 65536U);
}

TEST(Negotiate, NeverClaimsWhatTheKernelLacks) {
  fuse_init_in in = newest();
  in.minor = 31;
  in.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES;
  const InitAnswer answer = negotiate(in, {.max_write = 1 << 20, .passthrough = true, .io_uring = true});
  EXPECT_EQ(answer.out.flags, static_cast<uint32_t>(FUSE_ASYNC_READ | FUSE_BIG_WRITES));
  EXPECT_EQ(answer.out.flags2, 0U) << "flags2 says nothing without INIT_EXT";
  EXPECT_FALSE(answer.agreed.passthrough);
  EXPECT_EQ(answer.out.max_stack_depth, 0U);
  EXPECT_EQ(answer.agreed.max_write, 131072U) << "without MAX_PAGES a request has 32 pages";
  EXPECT_FALSE(answer.agreed.setxattr_ext);
}

TEST(Negotiate, LeavesOutWhatIsNotWanted) {
  const InitAnswer answer = negotiate(newest(), {});
  EXPECT_FALSE(answer.agreed.passthrough);
  EXPECT_FALSE(answer.agreed.io_uring);
}

TEST(Negotiate, AsksANewerMajorAgain) {
  fuse_init_in in = newest();
  in.major = 8;
  const InitAnswer answer = negotiate(in, {});
  EXPECT_TRUE(answer.again);
  EXPECT_EQ(answer.out.major, 7U);
}

TEST(Negotiate, RefusesAnOldKernel) {
  fuse_init_in in = newest();
  in.minor = 30;
  EXPECT_TRUE(negotiate(in, {}).too_old);
}

TEST(Negotiate, RoundsMaxWriteToPages) {
  EXPECT_EQ(negotiate(newest(), {.max_write = 10'000}).agreed.max_write, 8192U);
  EXPECT_EQ(negotiate(newest(), {.max_write = 1}).agreed.max_write, 4096U);
  EXPECT_EQ(negotiate(newest(), {.max_write = 0xffffffff}).out.max_pages, 65535);
}

}  // namespace
}  // namespace firn::fuse
