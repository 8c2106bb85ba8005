#include "nfs/unstable_writes.h"

#include <gtest/gtest.h>

namespace firn::nfs {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kEnough = UnstableWrites::kWritebackBytes;
using Range = UnstableWrites::Range;

TEST(UnstableWrites, AsksForWhatCameInAnyOrder) {
  UnstableWrites writes;
  for (uint64_t at = kMiB; at < kEnough; at += kMiB) EXPECT_FALSE(writes.note(kMiB * 100 + at, kMiB));
  EXPECT_EQ(writes.note(kMiB * 100, kMiB), (Range{kMiB * 100, kEnough}));
}

TEST(UnstableWrites, OneRequestAtATimeThenAllThatCameMeanwhile) {
  UnstableWrites writes;
  ASSERT_TRUE(writes.note(0, kEnough));
  EXPECT_FALSE(writes.note(kEnough, kEnough));
  EXPECT_FALSE(writes.note(2 * kEnough, kEnough));
  writes.asked();
  EXPECT_EQ(writes.note(3 * kEnough, 1), (Range{kEnough, 2 * kEnough + 1}));
}

TEST(UnstableWrites, LeavesWritesAllOverTheFileAlone) {
  UnstableWrites writes;
  for (uint64_t i = 0; i < 100'000; ++i) ASSERT_FALSE(writes.note(i * 7919 % 100'000 * 16 * 4096, 4096));
  // What comes from front to back after that is asked for.
  bool asked = false;
  for (uint64_t at = 0; at < 3 * kEnough && !asked; at += kMiB) asked = writes.note(at, kMiB).has_value();
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace firn::nfs
