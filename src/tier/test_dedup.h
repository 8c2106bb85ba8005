// A world in which equal chunks are shared, and what its tests ask of it.
#pragma once

#include <initializer_list>
#include <string>

#include "meta/keys.h"
#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/scrubber.h"
#include "tier/test_world.h"
#include "tier/verify_all.h"

namespace firn::tier::testing {

inline constexpr uint64_t kChunkBytes = 16 << 10;

inline CollectSummary collect(World& world) {
  Collector collector(
      {*world.meta, *world.meta, *world.pool, *world.random, world.tiers()},
      {.grace_ns = 0, .in_flight_ns = 0, .repack_min_bytes = 1, .key = world.options.key, .dedup = true});
  return world.run(collector.pass(nullptr)).value();
}

inline ScrubReport scrub(World& world) {
  Scrubber scrubber({*world.meta, *world.meta, *world.data, *world.pool, *world.random, world.tiers()},
                    {.chunk_bytes = kChunkBytes, .key = world.options.key, .dedup = true});
  std::string cursor;
  return world.run(scrubber.scrub_cold(&cursor, nullptr)).value();
}

inline void expect_sound(World& world) {
  EXPECT_TRUE(scrub(world).clean());
  const auto report =
      world.run(verify_all(*world.meta, world.tiers(), *world.pool, {.key = world.options.key}, nullptr));
  for (const VerifyProblem& problem : report.value().problems) ADD_FAILURE() << problem.inode.value << problem.what;
}

inline size_t contents_on_record(World& world) {
  const auto transaction = world.engine->begin();
  const std::string prefix = meta::Key(meta::Prefix::kContent).str();
  return world.run(transaction->scan({prefix, kv::prefix_end(prefix)}, 100'000)).value().size();
}

inline uint64_t stored_bytes(World& world) {
  uint64_t bytes = 0;
  for (const auto& [key, object_bytes] : world.near->mem->sizes()) bytes += object_bytes;
  return bytes;
}

// With and without encryption.
struct DedupTest : public ::testing::TestWithParam<bool> {
  DedupTest()
      : world({.seed = 1,
               .key = GetParam() ? std::optional(Key{std::byte{3}}) : std::nullopt,
               .chunk_bytes = kChunkBytes,
               .dedup = true}) {}
  void expect_all_to_come_back(std::initializer_list<const char*> names) {
    expect_sound(world);
    for (const char* name : names) world.expect_to_come_back(name, content);
  }

  World world;
  const std::string content = object::testing::noise(5 * kChunkBytes + 9000, 1);
  static constexpr uint64_t kChunks = 6;
};

}  // namespace firn::tier::testing
