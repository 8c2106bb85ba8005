#include "vfs/upload_throttle.h"

#include <gtest/gtest.h>

#include <optional>

namespace firn::vfs {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class UploadThrottleTest : public testing::Test {
 protected:
  // A second in which programs wrote so much.
  void second(uint64_t mib, bool urgent = false) {
    written_ += mib * kMiB;
    now_ns_ += 1'000'000'000;
    throttle_.note(written_, urgent, now_ns_);
  }
  uint64_t mib_per_s() const { return throttle_.bytes_per_s() / kMiB; }

  UploadThrottle throttle_{64 * kMiB};

 private:
  uint64_t written_ = 0;
  int64_t now_ns_ = 7;
};

TEST_F(UploadThrottleTest, HoldsBackWhileProgramsWriteFast) {
  EXPECT_EQ(mib_per_s(), 0);
  second(500);  // the first look tells nothing of a rate
  EXPECT_EQ(mib_per_s(), 0);
  second(100);
  EXPECT_EQ(mib_per_s(), 64);
  second(1000);
  EXPECT_EQ(mib_per_s(), 250);
  second(15);
  EXPECT_EQ(mib_per_s(), 0);
}

TEST_F(UploadThrottleTest, NotWhereRoomIsNeeded) {
  second(0);
  second(1000, /*urgent=*/true);
  EXPECT_EQ(mib_per_s(), 0);
  second(1000);
  EXPECT_EQ(mib_per_s(), 250);
}

TEST_F(UploadThrottleTest, NotWhileSomebodyWaits) {
  second(0);
  second(1000);
  {
    const UploadThrottle::Hurry first(throttle_);
    std::optional<UploadThrottle::Hurry> second_one(std::in_place, throttle_);
    EXPECT_EQ(mib_per_s(), 0);
    second_one.reset();
    EXPECT_EQ(mib_per_s(), 0);
  }
  EXPECT_EQ(mib_per_s(), 250);
}

TEST_F(UploadThrottleTest, WhatBecomesLessWasNotWritten) {
  second(1000);
  throttle_.note(0, false, 3'000'000'000);
  EXPECT_EQ(mib_per_s(), 0);
}

TEST_F(UploadThrottleTest, BeginsAnew) {
  second(0);
  second(1000);
  throttle_.forget();
  EXPECT_EQ(mib_per_s(), 0);
  second(1000);
  EXPECT_EQ(mib_per_s(), 0);
  second(1000);
  EXPECT_EQ(mib_per_s(), 250);
}

TEST(UploadThrottleOff, NeverHoldsBack) {
  UploadThrottle throttle(0);
  throttle.note(0, false, 1);
  throttle.note(uint64_t{1} << 40, false, 1'000'000'001);
  EXPECT_EQ(throttle.bytes_per_s(), 0);
}

}  // namespace
}  // namespace firn::vfs
