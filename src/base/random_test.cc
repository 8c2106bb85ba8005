#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace firn {
namespace {

TEST(Random, RepeatsFromItsSeed) {
  SeededRandom a(42), b(42), c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    differs |= value != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, BelowCoversItsRangeEvenly) {
  SeededRandom random(7);
  std::array<int, 6> seen{};
  for (int i = 0; i < 60'000; ++i) ++seen[random.below(6)];
  for (int count : seen) EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, FillsEveryByte) {
  std::array<std::byte, 13> bytes{};
  SeededRandom random(1);
  random.fill(bytes);
  EXPECT_NE(bytes[12], std::byte{0});
}

TEST(Random, SystemNeverRepeats) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(system_random().next()).second);
}

}  // namespace
}  // namespace firn
