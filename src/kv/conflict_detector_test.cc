#include "kv/conflict_detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "kv/key_hash.h"

namespace firn::kv {
namespace {

void record(ConflictDetector& detector, Version version, std::initializer_list<std::string> keys) {
  WriteSet set;
  for (const std::string& key : keys) set.put(key, "");
  detector.record(set, version);
}

bool key_conflicts(const ConflictDetector& detector, Version read_version, const std::string& key) {
  ReadSet reads;
  reads.key_hashes.push_back(hash_key(key));
  return detector.conflicts(reads, read_version);
}

bool range_conflicts(const ConflictDetector& detector, Version read_version, Range range) {
  ReadSet reads;
  reads.ranges.push_back(std::move(range));
  return detector.conflicts(reads, read_version);
}

TEST(ConflictDetector, KnowsWhatWasWrittenSince) {
  ConflictDetector detector(10);
  record(detector, 11, {"a", "b"});
  record(detector, 15, {"c"});
  EXPECT_TRUE(key_conflicts(detector, 10, "a"));
  EXPECT_FALSE(key_conflicts(detector, 11, "a"));
  EXPECT_TRUE(key_conflicts(detector, 14, "c"));
  EXPECT_FALSE(key_conflicts(detector, 10, "d"));
  EXPECT_TRUE(range_conflicts(detector, 10, {"a", "b"}));
  EXPECT_FALSE(range_conflicts(detector, 11, {"a", "c"}));
  EXPECT_TRUE(range_conflicts(detector, 11, {"a", ""}));
}

TEST(ConflictDetector, SharedSlotIsNoConflictInsideTheWindow) {
  ConflictDetector detector(0, {.slots = 1, .window_keys = 8});
  record(detector, 1, {"a"});
  EXPECT_FALSE(key_conflicts(detector, 0, "b"));
  EXPECT_TRUE(key_conflicts(detector, 0, "a"));
}

TEST(ConflictDetector, OlderThanTheWindowConflictsWhenInDoubt) {
  ConflictDetector detector(0, {.slots = 1 << 16, .window_keys = 2});
  for (Version version = 1; version <= 5; ++version) record(detector, version, {"k" + std::to_string(version)});
  EXPECT_TRUE(range_conflicts(detector, 2, {"x", "y"}));
  EXPECT_FALSE(range_conflicts(detector, 3, {"x", "y"}));
  EXPECT_FALSE(key_conflicts(detector, 0, "never"));
  EXPECT_TRUE(key_conflicts(detector, 0, "k1"));
}

TEST(ConflictDetector, CommitLargerThanTheWindowIsNotForgotten) {
  ConflictDetector detector(0, {.slots = 4, .window_keys = 2});
  record(detector, 1, {"a", "b", "c", "d"});
  EXPECT_TRUE(key_conflicts(detector, 0, "a"));
  EXPECT_TRUE(range_conflicts(detector, 0, {"a", "b"}));
  EXPECT_FALSE(range_conflicts(detector, 1, {"a", "b"}));
}

// Never misses a conflict, whatever the sizes.
TEST(ConflictDetector, AgreesWithAMemoryOfEverything) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  ConflictDetector small(0, {.slots = 16, .window_keys = 20}), large(0);
  std::vector<std::pair<Version, std::string>> memory;
  for (Version version = 1; version < 500; ++version) {
    const std::string key = std::to_string(random() % 100), other = std::to_string(random() % 100);
    record(small, version, {key, other});
    record(large, version, {key, other});
    memory.insert(memory.end(), {{version, key}, {version, other}});
    const Version reader = version - std::min<Version>(version, random() % 30);
    const std::string wanted = std::to_string(random() % 100);
    const bool truth = std::ranges::any_of(memory, [&](auto& w) { return w.first > reader && w.second == wanted; });
    EXPECT_EQ(key_conflicts(large, reader, wanted), truth);
    EXPECT_TRUE(!truth || key_conflicts(small, reader, wanted));
    const Range range{wanted, wanted + "5"};
    const bool range_truth = std::ranges::any_of(
        memory, [&](auto& w) { return w.first > reader && w.second >= range.begin && w.second < range.end; });
    EXPECT_EQ(range_conflicts(large, reader, range), range_truth);
    EXPECT_TRUE(!range_truth || range_conflicts(small, reader, range));
  }
}

}  // namespace
}  // namespace firn::kv
