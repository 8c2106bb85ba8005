// The decayed counts, and the score that they are for.
#include "vfs/access_counts.h"

#include <gtest/gtest.h>

#include "vfs/eviction_score.h"

namespace firn::vfs {
namespace {

constexpr Timestamp kNow{1'700'000'000, 0};
constexpr int64_t kDay = kAccessHalfLifeS;

Timestamp after(int64_t seconds) { return {kNow.seconds + seconds, 0}; }

TEST(AccessCounts, CountsAndHalves) {
  AccessCounts counts;
  const InodeId file(7);
  EXPECT_EQ(count_of(counts.level_of(file, 0), kNow), 0);
  for (int i = 1; i <= 8; ++i) {
    counts.note(file, 0, kNow);
    EXPECT_NEAR(count_of(counts.level_of(file, 0), kNow), i, 0.01);
  }
  EXPECT_NEAR(count_of(counts.level_of(file, 0), after(kDay)), 4, 0.01);
  EXPECT_NEAR(count_of(counts.level_of(file, 0), after(4 * kDay)), 0.5, 0.01);
  counts.note(file, 0, after(4 * kDay));
  EXPECT_NEAR(count_of(counts.level_of(file, 0), after(4 * kDay)), 1.5, 0.01);
}

TEST(AccessCounts, GoesOnFromWhatIsRecorded) {
  AccessCounts before;
  for (int i = 0; i < 5; ++i) before.note(InodeId(7), 0, kNow);
  const AccessLevel recorded = before.level_of(InodeId(7), 0);
  AccessCounts counts;
  EXPECT_EQ(counts.level_of(InodeId(7), recorded), recorded);
  counts.note(InodeId(7), recorded, kNow);
  EXPECT_NEAR(count_of(counts.level_of(InodeId(7), recorded), kNow), 6, 0.01);
}

TEST(AccessCounts, ForgetsThoseThatCountLeast) {
  AccessCounts counts;
  for (int i = 0; i < 3; ++i) counts.note(InodeId(1), 0, kNow);
  for (uint64_t i = 2; i < 2 * AccessCounts::kMaxFiles; ++i) counts.note(InodeId(i), 0, kNow);
  EXPECT_NEAR(count_of(counts.level_of(InodeId(1), 0), kNow), 3, 0.01);
  size_t known = 0;
  for (uint64_t i = 1; i < 2 * AccessCounts::kMaxFiles; ++i) known += counts.level_of(InodeId(i), 0) != 0;
  EXPECT_LE(known, AccessCounts::kMaxFiles);
  EXPECT_GE(known, AccessCounts::kMaxFiles / 2);
}

TEST(EvictionScore, IsWhatTheDesignSays) {
  EXPECT_DOUBLE_EQ(eviction_score({.used = kNow}, kNow, {}), 1);
  EXPECT_DOUBLE_EQ(eviction_score({.used = kNow}, after(60), {}), 0.5);
  EXPECT_DOUBLE_EQ(eviction_score({.used = kNow, .accesses = 3}, after(60), {}), 2.5);
  EXPECT_DOUBLE_EQ(eviction_score({.used = kNow, .accesses = 3}, after(60), {.recency = 4, .frequency = 0.25}), 2.5);
  EXPECT_DOUBLE_EQ(eviction_score({.used = after(60)}, kNow, {}), 1);  // a clock that was set back
}

TEST(EvictionScore, WhatIsOpenedOftenOutlivesAScan) {
  const LastUse often{.used = after(-kDay), .accesses = 6};
  const LastUse scanned{.used = after(-3600), .accesses = 1};
  EXPECT_GT(eviction_score(often, kNow, {}), eviction_score(scanned, kNow, {}));
  EXPECT_LT(eviction_score(often, kNow, {.frequency = 0}), eviction_score(scanned, kNow, {.frequency = 0}));
}

}  // namespace
}  // namespace firn::vfs
