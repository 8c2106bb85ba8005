// The scrubber beside a collector: neither undoes what the other is at.
#include "base/testing/seeds.h"
#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::make_scrubber;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;

struct Rescue {
  World& world;
  Scrubber scrubber = make_scrubber(world);
  std::optional<ScrubReport> report = {};
};

io::Task<void> scrub(Rescue* rescue) {
  std::string cursor;
  rescue->report = (co_await rescue->scrubber.scrub_cold(&cursor, nullptr)).value();
}

io::Task<void> collect_meanwhile(Rescue* rescue) {
  World& world = rescue->world;
  io::detach(scrub(rescue));
  while (!rescue->report) {
    Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()},
                        {.grace_ns = 0, .in_flight_ns = 0, .under_way = &world.uploader->under_way()});
    CO_REQUIRE(co_await collector.pass(nullptr));
    (void)co_await io::sleep_for(10'000'000);
  }
}

void rescue_beside_collector(uint64_t seed) {
  World world({.seed = seed, .faults = {.max_latency_ns = 1'000'000'000}});
  const std::string content = noise(6 * kChunkBytes + 100, seed);
  world.write("f", content);
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  const std::vector<meta::Chunk> chunks = world.chunks("f");
  const std::string key = *world.objects().begin();
  world.flip(*world.near, key, testing::in_last_block(chunks[1]));
  world.flip(*world.far, key, testing::in_last_block(chunks[2]));
  Rescue rescue{world};
  world.run(collect_meanwhile(&rescue));
  EXPECT_TRUE(rescue.report->first_failure.ok()) << rescue.report->first_failure.to_string();
  EXPECT_EQ(rescue.report->rescued_chunks, 7u);
  world.expect_to_come_back("f", content);
}

// Nothing refers to what a rescue puts until it is there.
TEST(Scrubber, WhatIsRescuedIsNoGarbageMeanwhile) { firn::testing::for_seeds(10, rescue_beside_collector); }

// The collector comes while the good copy is under way: what was put after it must not stay for ever.
TEST(Scrubber, WhatIsPutAgainIntoARemovedBlobIsOnRecord) {
  World world({.seed = 7, .faults = {.min_latency_ns = 1'000'000'000, .max_latency_ns = 1'000'000'001}});
  world.write("f", noise(3 * kChunkBytes, 1));
  world.upload();
  const std::string name = world.chunks("f")[0].blob, key = *world.objects().begin();
  world.flip(*world.near, key, 100);
  const auto remove = [](World* w, std::string blob) -> io::Task<void> {
    (void)co_await io::sleep_for(2'500'000'000);  // while the far copy is read
    co_await w->do_remove("f");
    CO_REQUIRE(co_await w->meta->forget_blob(blob));
    CO_REQUIRE(co_await w->far->mem->remove(key_of(blob_id_of_name(blob)), {}));
    CO_REQUIRE(co_await w->near->mem->remove(key_of(blob_id_of_name(blob)), {}));
  };
  const auto both = [remove](World* w, Scrubber* scrubber, std::string blob) -> io::Task<Result<void>> {
    io::detach(remove(w, blob));
    co_return co_await scrubber->repair_blob(blob, "near", nullptr);
  };
  Scrubber scrubber = make_scrubber(world);
  const auto repaired = world.run(both(&world, &scrubber, name));
  ASSERT_FALSE(repaired);
  EXPECT_EQ(repaired.error(), Code::kStale);
  EXPECT_EQ(world.objects().size(), 1u);
  EXPECT_TRUE(world.run(world.meta->get_blob(name)).value().dead_since);
}

}  // namespace
}  // namespace firn::tier
