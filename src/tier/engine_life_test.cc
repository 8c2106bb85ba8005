// Uploading, evicting and bringing back at once, with stores that hang and worse, and crashes anywhere in it: whatever
// was settled is there afterwards, as it was.
#include <gtest/gtest.h>

#include <map>

#include "base/testing/seeds.h"
#include "io/sim/abandon.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"
#include "tier/verify_all.h"

namespace firn::tier {
namespace {

using object::testing::Faults;
using object::testing::noise;
using testing::World;

using Contents = std::map<std::string, std::string>;

Faults bad_faults(uint64_t seed) {
  switch (seed % 4) {
    case 0:
      return {.max_latency_ns = 10'000'000};
    case 1:
      return {.hung = 0.1, .max_latency_ns = 1'000'000'000};
    case 2:
      return {
          .refused = 0.1, .answer_lost = 0.1, .hung = 0.05, .late = 0.1, .twice = 0.1, .max_latency_ns = 1'000'000'000};
    default:
      return {.refused = 0.05,
              .answer_lost = 0.05,
              .hung = 0.03,
              .forgotten = 0.05,
              .corrupted = 0.05,
              .truncated = 0.05,
              .late = 0.05,
              .twice = 0.05,
              .max_latency_ns = 1'000'000'000};
  }
}

Contents write_some(World& world, SeededRandom& choose, Contents contents) {
  for (uint64_t count = 1 + choose.below(4); count > 0; --count) {
    const std::string name = "f" + std::to_string(choose.below(8));
    if (contents.contains(name) && world.stat(name).content.evicted) continue;
    contents[name] = noise(1 + choose.below(6 * world.options.chunk_bytes), choose.next());
    world.write(name, contents[name]);
  }
  world.sync();
  return contents;
}

io::Task<void> upload_on(World* world) {
  for (;;) (void)co_await world->uploader->pass(nullptr);
}

io::Task<void> catch_up_on(World* world, size_t tier) {
  for (;;) {
    (void)co_await world->uploader->catch_up(tier, nullptr);
    co_await io::yield();
  }
}

io::Task<void> move_on(World* world, std::vector<std::string> names, uint64_t seed) {
  // Of its own: a crash leaves it behind in the middle.
  auto* choose = new SeededRandom(seed);
  io::abandon(choose);
  for (;;) {
    const std::string name = names[choose->below(names.size())];
    const Result<meta::Attr> attr = co_await world->meta->lookup({}, kRootInode, name);
    if (attr && attr->content.evicted) {
      (void)co_await world->do_restore(name);
    } else {
      (void)co_await world->do_evict(name);  // refused where it must be
    }
    co_await io::yield();
  }
}

void set_faults(World& world, const Faults& faults) {
  world.near->faulty.set_faults(faults);
  world.far->faulty.set_faults(faults);
}

void expect_contents(World& world, const Contents& contents) {
  for (const auto& [name, content] : contents) {
    if (world.stat(name).content.evicted) {
      const auto restored = world.restore(name);
      ASSERT_TRUE(restored) << name << ": " << restored.error().to_string();
    }
    EXPECT_TRUE(world.read(name) == content) << name;
  }
}

void live_through_crashes(uint64_t seed) {
  // With some seeds, tiers are late again and again.
  const int64_t late_ns = seed % 3 == 0 ? 200'000'000 : UploadOptions().late_ns;
  // With others, files take several turns.
  const uint64_t turn = seed / 3 % 2 == 0 ? 2 : UploadOptions().chunks_per_turn;
  World world({.seed = seed, .faults = bad_faults(seed), .chunks_per_turn = turn, .late_ns = late_ns});
  SeededRandom choose(seed * 131);
  Contents contents;
  for (int life = 0; life < 4; ++life) {
    contents = write_some(world, choose, std::move(contents));
    std::vector<std::string> names;
    for (const auto& [name, content] : contents) names.push_back(name);
    world.reactor->stop_after(1 + choose.below(4000));
    io::detach_on(*world.reactor, upload_on(&world));
    for (size_t tier = 0; tier < world.tiers().size(); ++tier) io::detach_on(*world.reactor, catch_up_on(&world, tier));
    io::detach_on(*world.reactor, move_on(&world, names, choose.next()));
    world.reactor->run();
    world.restart(choose.below(2) == 0);
    set_faults(world, {});
    expect_contents(world, contents);
    if (::testing::Test::HasFailure()) return;
    set_faults(world, bad_faults(seed));
  }
  set_faults(world, {});
  for (int attempt = 0; attempt < 30 && world.pending() > 0; ++attempt) {
    world.upload();
    world.catch_up();
  }
  EXPECT_EQ(world.pending(), 0u);
  for (const auto& [name, content] : contents) EXPECT_TRUE(world.evict(name)) << name;
  (void)testing::scrub_cold(world);  // what a store forgot or lost since is put there again
  expect_contents(world, contents);
  EXPECT_TRUE(world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr)).value().problems.empty());
}

TEST(EngineLife, CrashesAnywhereLoseNothing) { firn::testing::for_seeds(150, live_through_crashes); }

// A request that never answers ends with its deadline, and what it was for is tried again.
TEST(EngineLife, RequestsThatHangHoldUpNothingForEver) {
  World world({.seed = 3});
  const std::string content = noise(3 * world.options.chunk_bytes, 3);
  world.write("f", content);
  world.far->faulty.set_faults({.hung = 1});
  const int64_t begun_ns = world.reactor->clock().monotonic_ns();
  const UploadSummary hung = world.upload();
  EXPECT_EQ(hung.files, 0u);
  EXPECT_FALSE(hung.first_failure.ok());
  EXPECT_LT(world.reactor->clock().monotonic_ns() - begun_ns, 3600'000'000'000);
  EXPECT_EQ(world.evict("f").error(), Code::kBusy);
  world.far->faulty.set_faults({});
  EXPECT_EQ(world.upload().files, 1u);
  // The nearer one hangs: the next one has it.
  ASSERT_TRUE(world.evict("f"));
  world.near->faulty.set_faults({.hung = 1});
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
  EXPECT_TRUE(world.damaged.empty());
}

int64_t restore_ns(World& world, const std::string& name) {
  const int64_t begun_ns = world.reactor->clock().monotonic_ns();
  const Result<void> restored = world.restore(name);
  EXPECT_TRUE(restored) << name << ": " << restored.error().to_string();
  return world.reactor->clock().monotonic_ns() - begun_ns;
}

constexpr int64_t kSecondNs = 1'000'000'000;

void read_while_the_near_tier_is(const Faults& faults) {
  World world({.seed = 5});
  Contents contents;
  for (uint64_t i = 0; i < 8; ++i) {
    const std::string name = "f" + std::to_string(i);
    contents[name] = noise(3 * world.options.chunk_bytes, i);
    world.write(name, contents[name]);
  }
  EXPECT_EQ(world.upload().files, 8u);
  for (const auto& [name, content] : contents) ASSERT_TRUE(world.evict(name));
  world.near->faulty.set_faults(faults);
  // Somebody must find out; then it is asked last.
  EXPECT_LT(restore_ns(world, "f0"), 3 * kSecondNs);
  for (int i = 1; i < 7; ++i) EXPECT_LT(restore_ns(world, "f" + std::to_string(i)), kSecondNs) << i;
  const uint64_t asked = world.near->faulty.requests(object::Kind::kGet);
  world.pass_time(11 * kSecondNs);
  EXPECT_LT(restore_ns(world, "f7"), kSecondNs) << "one request, to see whether it answers again";
  EXPECT_GT(world.near->faulty.requests(object::Kind::kGet), asked);
  expect_contents(world, contents);
  EXPECT_TRUE(world.damaged.empty());
  // It does: it is the nearest again.
  world.near->faulty.set_faults({});
  for (const auto& [name, content] : contents) ASSERT_TRUE(world.evict(name));
  world.pass_time(11 * kSecondNs);
  const uint64_t asked_far = world.far->faulty.requests(object::Kind::kGet);
  for (const auto& [name, content] : contents) EXPECT_LT(restore_ns(world, name), kSecondNs);
  EXPECT_EQ(world.far->faulty.requests(object::Kind::kGet), asked_far);
  expect_contents(world, contents);
}
TEST(EngineLife, ANearTierThatHangsHoldsUpNoReader) { read_while_the_near_tier_is({.hung = 1}); }
TEST(EngineLife, ANearTierThatRefusesHoldsUpNoReader) { read_while_the_near_tier_is({.refused = 1}); }

// A second and a half for each answer, but they come: what is nearer is asked alone.
TEST(EngineLife, ANearTierThatIsOnlySlowIsAskedAlone) {
  World world({.seed = 6});
  const std::string content = noise(12 * world.options.chunk_bytes, 6);
  world.write("f", content);
  EXPECT_EQ(world.upload().files, 1u);
  ASSERT_TRUE(world.evict("f"));
  world.near->faulty.set_faults({.min_latency_ns = 3 * kSecondNs / 2, .max_latency_ns = 3 * kSecondNs / 2});
  const uint64_t asked_far = world.far->faulty.requests(object::Kind::kGet);
  ASSERT_TRUE(world.restore("f"));
  EXPECT_EQ(world.far->faulty.requests(object::Kind::kGet), asked_far);
  EXPECT_TRUE(world.read("f") == content);
}

// What the tier behind it lacks arrives there, and soon; the hanging one gets what it missed later.
TEST(EngineLife, ATierThatHangsHoldsUpNoOthersUploads) {
  World world({.seed = 7});
  for (uint64_t i = 0; i < 6; ++i) world.write("f" + std::to_string(i), noise(3 * world.options.chunk_bytes, i));
  world.near->faulty.set_faults({.hung = 1});
  const int64_t begun_ns = world.reactor->clock().monotonic_ns();
  const UploadSummary hung = world.upload();
  EXPECT_LT(world.reactor->clock().monotonic_ns() - begun_ns, 100 * kSecondNs);
  EXPECT_FALSE(hung.first_failure.ok());
  EXPECT_GT(hung.blobs, 0u);
  EXPECT_TRUE(world.near->mem->sizes().empty());
  EXPECT_EQ(world.far->mem->sizes().size(), hung.blobs);
  EXPECT_EQ(world.pending(), 6u);
  world.near->faulty.set_faults({});
  EXPECT_EQ(world.upload().files, 6u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
}

}  // namespace
}  // namespace firn::tier
