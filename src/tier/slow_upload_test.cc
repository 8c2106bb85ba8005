// Uploads that take long: the collector, and other files of the same pass, beside them. On simulated time.
#include <gtest/gtest.h>

#include "base/testing/seeds.h"
#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::World;

constexpr uint64_t kMiB = 1 << 20;
constexpr int64_t kSecond = 1'000'000'000;

struct Beside {
  World& world;
  int64_t grace_ns = 0;
  uint64_t bytes_per_s = 0;
  SeededRandom choose;
  bool ended = false;
  Result<UploadSummary> uploaded = UploadSummary();
};

io::Task<void> upload_slowly(Beside* beside) {
  beside->uploaded =
      co_await beside->world.uploader->pass(nullptr, {.rate_now = [beside] { return beside->bytes_per_s; }});
  beside->ended = true;
}

Collector make_collector(World& world, int64_t grace_ns) {
  return Collector(
      {*world.meta, *world.meta, *world.pool, *world.random, world.tiers()},
      {.grace_ns = grace_ns, .in_flight_ns = grace_ns, .under_way = &world.uploader->under_way(), .repack_below = 0});
}

io::Task<void> collect_meanwhile(Beside* beside) {
  io::detach(upload_slowly(beside));
  while (!beside->ended) {
    Collector collector = make_collector(beside->world, beside->grace_ns);
    CO_REQUIRE(co_await collector.pass(nullptr));
    (void)co_await io::sleep_for(static_cast<int64_t>(beside->choose.below(3 * kSecond)));
  }
}

// A version that replaces another is recorded as a whole, when all of it is there. What it consists of is garbage only
// if that never comes.
void replace_slowly(uint64_t seed) {
  World world({.seed = seed, .faults = {.max_latency_ns = kSecond / 2}, .chunk_bytes = kMiB});
  SeededRandom choose(seed * 13);
  world.write("f", "the former version");
  world.upload();
  const std::string content = noise(68 * kMiB + choose.below(64 * kMiB), seed);
  world.write("f", content);
  const auto grace_ns = static_cast<int64_t>(choose.below(2) * choose.below(2 * kSecond));
  Beside beside{world, grace_ns, kMiB, SeededRandom(seed), false, {}};
  world.run(collect_meanwhile(&beside));
  ASSERT_TRUE(beside.uploaded) << beside.uploaded.error().to_string();
  EXPECT_EQ(beside.uploaded->files, 1u) << beside.uploaded->first_failure.to_string();
  EXPECT_EQ(world.pending(), 0u);
  world.expect_to_come_back("f", content);
  // The former version's blob goes, and nothing else.
  world.pass_time(3 * kSecond);
  EXPECT_EQ(world.run(make_collector(world, 0).pass(nullptr)).value().waiting, 0u);
  EXPECT_EQ(world.objects(), world.needed_objects());
}

TEST(SlowUpload, AVersionThatReplacesAnotherLastsLongerThanTheGrace) { firn::testing::for_seeds(4, replace_slowly); }

}  // namespace
}  // namespace firn::tier
