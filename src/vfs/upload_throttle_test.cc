#include "vfs/upload_throttle.h"

#include <gtest/gtest.h>

#include <optional>

namespace firn::vfs {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class UploadThrottleTest : public testing::Test {
 protected:
  // A second in which programs wrote so much.
  void second(uint64_t mib, bool urgent = false) { pass(1'000'000'000, mib, urgent); }
  void moment(uint64_t mib) { pass(250'000'000, mib, false); }
  uint64_t mib_per_s() const { return throttle_.bytes_per_s() / kMiB; }

  UploadThrottle throttle_{32 * kMiB};

 private:
  void pass(int64_t ns, uint64_t mib, bool urgent) {
    written_ += mib * kMiB;
    now_ns_ += ns;
    throttle_.note(written_, urgent, now_ns_);
  }

  uint64_t written_ = 0;
  int64_t now_ns_ = 7;
};

TEST_F(UploadThrottleTest, HoldsBackWhileProgramsWriteFast) {
  EXPECT_EQ(mib_per_s(), 0);
  second(500);  // the first look tells nothing of a rate
  EXPECT_EQ(mib_per_s(), 0);
  second(100);
  EXPECT_EQ(mib_per_s(), 32);
  second(1000);
  EXPECT_EQ(mib_per_s(), 125);
  second(15);
  EXPECT_EQ(mib_per_s(), 0);
}

TEST_F(UploadThrottleTest, NotWhereRoomIsNeeded) {
  second(0);
  second(1000, /*urgent=*/true);
  EXPECT_EQ(mib_per_s(), 0);
  second(1000);
  EXPECT_EQ(mib_per_s(), 125);
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
  EXPECT_EQ(mib_per_s(), 125);
}

TEST_F(UploadThrottleTest, WhatBecomesLessWasNotWritten) {
  second(1000);
  throttle_.note(0, false, 3'000'000'000);
  EXPECT_EQ(mib_per_s(), 0);
}

TEST_F(UploadThrottleTest, APauseOfAMomentIsNone) {
  second(0);
  second(800);
  moment(0);
  EXPECT_EQ(mib_per_s(), 100);
  second(0);
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
  EXPECT_EQ(mib_per_s(), 125);
}

TEST(UploadThrottleOff, NeverHoldsBack) {
  UploadThrottle throttle(0);
  throttle.note(0, false, 1);
  throttle.note(uint64_t{1} << 40, false, 1'000'000'001);
  EXPECT_EQ(throttle.bytes_per_s(), 0);
}

}  // namespace
}  // namespace firn::vfs
