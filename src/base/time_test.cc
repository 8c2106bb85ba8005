#include "base/time.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Time, StampsAsTheKernelDoes) {
  EXPECT_EQ(stamp_of({100, 996'000'000}, {100, 999'999'999}), (Timestamp{100, 996'000'000}));
  EXPECT_EQ(stamp_of({100, 996'000'000}, {101, 3'000'000}), (Timestamp{100, 996'000'000}));
  EXPECT_EQ(stamp_of({100, 5}, {100, 5}), (Timestamp{100, 5}));
}

TEST(Time, DoesNotStandStillWhereTicksAreLate) {
  EXPECT_EQ(stamp_of({100, 0}, {100, 25'000'000}), (Timestamp{100, 25'000'000}));
  EXPECT_EQ(stamp_of({100, 990'000'000}, {102, 0}), (Timestamp{102, 0}));
}

}  // namespace
}  // namespace firn
