// The collector beside everything else, with stores that misbehave, and with crashes anywhere: nothing that is needed
// goes, and nothing that is not stays for ever. FIRN_SEEDS=N for a soak, FIRN_SEED=N for one seed.

#include "base/testing/seeds.h"
#include "io/sim/abandon.h"
#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/content_index.h"
#include "tier/test_world.h"
#include "tier/verify_all.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::World;

constexpr int64_t kMinute = 60LL * 1'000'000'000;

using Contents = std::map<std::string, std::string>;

// Half of the collectors do not know what the uploader is at: it must notice when that is taken from it.
CollectOptions hasty(const World& world, int64_t grace_ns) {
  return {.grace_ns = grace_ns,
          .in_flight_ns = kMinute,
          .under_way = world.options.seed % 2 == 0 ? &world.uploader->under_way() : nullptr,
          .repack_below = 0.7,
          .repack_min_bytes = 1,
          .dedup = world.options.dedup,
          .removes_in_flight = 3};
}

// Half of the lives share chunks, in files of which many are equal.
testing::WorldOptions of_seed(uint64_t seed, object::testing::Faults faults) {
  const bool dedup = seed / 6 % 2 == 1;
  return {.seed = seed,
          .faults = faults,
          .chunk_bytes = dedup ? kMinSharedBytes : 4096,
          .dedup = dedup,
          .chunks_per_turn = seed / 12 % 2 == 1 ? 2 : UploadOptions().chunks_per_turn};
}

// Of up to `chunks` chunks.
std::string some_content(const World& world, SeededRandom& choose, uint64_t chunks) {
  const uint64_t bytes = 1 + choose.below(chunks * world.options.chunk_bytes);
  return noise(bytes, world.options.dedup ? choose.below(4) : choose.next());
}

Collector make_collector(World& world, int64_t grace_ns) {
  return Collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, hasty(world, grace_ns));
}

// What every moment must fulfil: what a chunk refers to is in every tier that is said to have it.
void expect_nothing_needed_is_gone(World& world) {
  const std::set<std::string> needed = world.needed_objects();
  for (const meta::Blob& blob : world.blobs()) {
    const std::string key = key_of(blob_id_of_name(blob.name));
    if (!needed.contains(key)) continue;
    if (blob.tiers & 1) EXPECT_TRUE(world.near->mem->sizes().contains(key)) << key;
    if (blob.tiers & 2) EXPECT_TRUE(world.far->mem->sizes().contains(key)) << key;
  }
}

// What a put that arrived late, or once more, has brought back after it was removed stays: nobody knows of it.
void expect_objects(World& world) {
  std::set<std::string> unknown = world.objects();
  for (const std::string& key : world.needed_objects()) EXPECT_EQ(unknown.erase(key), 1u) << key;
  for (const auto* place : {world.near.get(), world.far.get()})
    for (const std::string& key : place->late->late_puts()) unknown.erase(key);
  EXPECT_EQ(unknown, std::set<std::string>());
}

// Everything is uploaded, comes back as it was, and what is not needed goes.
void expect_a_good_end(World& world, const Contents& expected) {
  expect_nothing_needed_is_gone(world);
  for (int attempt = 0; attempt < 60 && world.pending() > 0; ++attempt) world.upload();
  EXPECT_EQ(world.pending(), 0u);
  for (const std::string& key : world.needed_objects()) {
    EXPECT_TRUE(world.near->mem->sizes().contains(key)) << key;
    EXPECT_TRUE(world.far->mem->sizes().contains(key)) << key;
  }
  // What was repacked last is dead after it, retired in the next round, and gone after another.
  for (int round = 0; round < 12 && (round < 4 || world.objects() != world.needed_objects()); ++round) {
    Collector collector = make_collector(world, kMinute);
    const auto pass = world.run(collector.pass(nullptr));
    ASSERT_TRUE(pass) << pass.error().to_string();
    EXPECT_EQ(pass->wrong_counters, 0u);
    world.pass_time(2 * kMinute);
  }
  world.everything_arrives();
  expect_objects(world);
  EXPECT_EQ(world.blobs().size(), world.needed_objects().size());
  expect_nothing_needed_is_gone(world);
  world.near->faulty.set_faults({});
  world.far->faulty.set_faults({});
  const auto verified = world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr));
  ASSERT_TRUE(verified) << verified.error().to_string();
  EXPECT_TRUE(verified->problems.empty()) << verified->problems[0].what;
  for (const auto& [name, content] : expected) world.expect_to_come_back(name, content);
}

// Files of which some have changed and some are gone since they were uploaded, and some are pending.
Contents make_history(World& world, uint64_t seed) {
  SeededRandom choose(seed * 77);
  Contents expected;
  for (int i = 0; i < 12; ++i) {
    const std::string name = "f" + std::to_string(i);
    world.write(name, expected[name] = some_content(world, choose, 3));
  }
  world.upload();
  for (int i = 0; i < 7; ++i) {
    const std::string name = "f" + std::to_string(i);
    if (choose.below(2) == 0) {
      world.remove(name);
      expected.erase(name);
    } else {
      world.write(name, expected[name] = some_content(world, choose, 3));
    }
  }
  world.upload();
  world.write("late", expected["late"] = noise(2 * world.options.chunk_bytes, seed));
  return expected;
}

io::Task<void> collect_again_and_again(Collector* collector) {
  for (;;) (void)co_await collector->pass(nullptr);
}
io::Task<void> upload_again_and_again(Uploader* uploader) {
  for (;;) (void)co_await uploader->pass(nullptr);
}

// How many resumptions it lasted: the crash came after `crash_after` of them. Mostly an uploader goes on beside it.
void crash_during_collection(uint64_t seed, uint64_t crash_after, bool power_cut) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", crash after " + std::to_string(crash_after));
  const double late = seed % 3 == 0 ? 0.1 : 0;
  World world(of_seed(seed, {.late = late, .twice = late, .max_latency_ns = 10'000'000}));
  const Contents expected = make_history(world, seed);
  // Gone, but a power cut may bring it back: then everything that it refers to must be there.
  world.write("doubtful", noise(world.options.chunk_bytes, seed + 1));
  world.upload();
  world.sync();
  world.pass_time(2 * kMinute);
  world.remove_name("doubtful");
  // Without a grace, everything that a pass does comes at once; its frames refer to it after the crash.
  auto* collector = new Collector(make_collector(world, 0));
  io::abandon(collector);
  world.reactor->stop_after(crash_after);
  io::detach_on(*world.reactor, collect_again_and_again(collector));
  // An uploader syncs the log: without one it is the collector's own order that counts.
  if (seed % 4 != 0) io::detach_on(*world.reactor, upload_again_and_again(world.uploader.get()));
  world.reactor->run();
  world.restart(power_cut);
  expect_nothing_needed_is_gone(world);
  if (power_cut && world.exists("doubtful")) world.remove("doubtful");
  expect_a_good_end(world, expected);
}

TEST(CollectorLife, ACrashAnywhereLosesAndLeaksNothing) {
  firn::testing::for_seeds(150, [](uint64_t seed) {
    SeededRandom random(seed);
    crash_during_collection(seed, 1 + random.below(1500), seed % 2 == 0);
  });
}

// Of one history, every single step.
TEST(CollectorLife, ACrashAtEachStepOfOnePass) {
  for (uint64_t crash_after = 1; crash_after < 500 && !::testing::Test::HasFailure(); crash_after += 3)
    crash_during_collection(1, crash_after, crash_after % 2 == 0);
}

// In the middle of an upload the machine is gone, and another serves the volume. It cannot know whether the last puts
// of the first are still on their way: for an hour they may be, whatever the grace. How many blobs were left like that.
size_t vanish_during_upload(uint64_t crash_after) {
  constexpr int64_t kHour = 60 * kMinute;
  SCOPED_TRACE("crash after " + std::to_string(crash_after));
  World world(of_seed(1, {.max_latency_ns = 10'000'000}));
  const Contents expected = make_history(world, 1);
  world.sync();
  world.reactor->stop_after(crash_after);
  io::detach_on(*world.reactor, upload_again_and_again(world.uploader.get()));
  world.reactor->run();
  world.restart(/*power_cut=*/false);
  const auto collect = [&world] {
    CollectOptions options = hasty(world, 0);
    options.in_flight_ns = kHour;
    Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, options);
    while (world.run(collector.pass(nullptr)).value().removed > 0) {
    }
    return world.run(collector.pass(nullptr)).value();
  };
  world.pass_time(kHour - kMinute);
  const size_t left = collect().waiting;
  EXPECT_EQ(world.blobs().size(), world.needed_objects().size() + left);
  world.pass_time(2 * kMinute);
  EXPECT_EQ(collect().waiting, 0u);
  EXPECT_EQ(world.objects(), world.needed_objects());
  EXPECT_EQ(world.blobs().size(), world.needed_objects().size());
  expect_a_good_end(world, expected);
  return left;
}

TEST(CollectorLife, WhatAMachineThatVanishedLeftGoesAfterAnHour) {
  size_t left = 0;
  for (uint64_t crash_after = 1; crash_after < 150 && !::testing::Test::HasFailure(); ++crash_after)
    left += vanish_during_upload(crash_after);
  EXPECT_GT(left, 0u);
}

// The world goes on beside the collector.
struct Life {
  World& world;
  SeededRandom choose;
  Contents expected;
  int steps = 30;
  bool ended = false;
};

io::Task<void> live(Life* life) {
  World& world = life->world;
  for (int step = 0; step < life->steps; ++step) {
    const std::string name = "f" + std::to_string(life->choose.below(8));
    const uint64_t what = life->choose.below(10);
    if (what < 5) {
      life->expected[name] = some_content(world, life->choose, 4);
      co_await world.do_write(name, life->expected[name]);
    } else if (what < 6) {
      if (life->expected.erase(name) > 0) co_await world.do_remove(name);
    } else if (what < 9) {
      CO_REQUIRE(co_await world.uploader->pass(nullptr));
    } else {
      world.far->faulty.set_down(life->choose.below(2) == 0);
    }
    (void)co_await io::sleep_for(static_cast<int64_t>(life->choose.below(3'000'000'000)));
  }
  world.far->faulty.set_down(false);
  life->ended = true;
}

// With a short grace, or none.
io::Task<void> live_with_collector(Life* life, int64_t grace_ns) {
  io::detach(live(life));
  while (!life->ended) {
    Collector collector = make_collector(life->world, grace_ns);
    const auto pass = co_await collector.pass(nullptr);
    CO_REQUIRE(pass);
    EXPECT_EQ(pass->wrong_counters, 0u);
    (void)co_await io::sleep_for(static_cast<int64_t>(life->choose.below(1'000'000'000)));
  }
}

void live_through(uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world(of_seed(seed, {.refused = 0.1,
                             .answer_lost = 0.05,
                             .forgotten = 0.05,
                             .corrupted = 0.02,
                             .truncated = 0.05,
                             .late = seed % 2 == 0 ? 0.1 : 0,
                             .twice = seed % 2 == 0 ? 0.1 : 0,
                             .max_latency_ns = 500'000'000}));
  Life life{world, SeededRandom(seed * 31), {}};
  world.run(live_with_collector(&life, seed % 3 == 0 ? 0 : 5'000'000'000));
  expect_a_good_end(world, life.expected);
}

TEST(CollectorLife, BesideEverythingElse) { firn::testing::for_seeds(150, live_through); }

}  // namespace
}  // namespace firn::tier
