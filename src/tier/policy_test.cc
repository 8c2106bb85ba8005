// Files that are kept out of tiers: blobs go where all of their files go, and nowhere else.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/testing/seeds.h"
#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"
#include "tier/verify_all.h"

namespace firn::tier {
namespace {

using object::Kind;
using object::testing::noise;
using testing::Place;
using testing::scrub_cold;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;
constexpr uint32_t kNear = 1, kFar = 2;

void skip(World& world, const std::string& name, uint32_t tiers) {
  ASSERT_TRUE(world.run(world.meta->set_policy({}, world.stat(name).inode, {.skip = tiers})));
}

void write(World& world, const std::string& name, uint32_t skipped, const std::string& content) {
  world.write(name, content);
  skip(world, name, skipped);
}

std::set<std::string> objects_of(const Place& place) {
  std::set<std::string> keys;
  for (const auto& [key, bytes] : place.mem->sizes()) keys.insert(key);
  return keys;
}

// The objects that hold the file's chunks.
std::set<std::string> needed_by(World& world, const std::string& name) {
  std::set<std::string> keys;
  for (const meta::Chunk& chunk : world.chunks(name)) keys.insert(key_of(blob_id_of_name(chunk.blob)));
  return keys;
}

bool has_all(const Place& place, const std::set<std::string>& keys) {
  return std::ranges::includes(objects_of(place), keys);
}

bool has_any(const Place& place, const std::set<std::string>& keys) {
  return std::ranges::any_of(keys, [&](const std::string& key) { return objects_of(place).contains(key); });
}

CollectSummary collect(World& world) {
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()},
                      {.grace_ns = 0, .in_flight_ns = 0, .repack_min_bytes = 0});
  return world.run(collector.pass(nullptr)).value();
}

VerifyReport verify(World& world) {
  return world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr)).value();
}

TEST(TierPolicy, FilesGoWhereTheyAreToGoAndShareNoBlob) {
  World world({.seed = 1});
  for (int i = 0; i < 8; ++i) {
    const std::string number = std::to_string(i);
    world.write("everywhere" + number, noise(5000, 10 + static_cast<uint64_t>(i)));
    write(world, "near" + number, kFar, noise(5000, 20 + static_cast<uint64_t>(i)));
    write(world, "far" + number, kNear, noise(5000, 30 + static_cast<uint64_t>(i)));
    write(world, "nowhere" + number, meta::kEveryTier, noise(5000, 40 + static_cast<uint64_t>(i)));
  }
  EXPECT_EQ(world.pending(), 24u);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 24u);
  EXPECT_EQ(done.blobs, 3u);
  EXPECT_EQ(done.postponed, 0u);
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(world.near->mem->sizes().size(), 2u);
  EXPECT_EQ(world.far->mem->sizes().size(), 2u);
  EXPECT_TRUE(has_all(*world.near, needed_by(world, "near0")) && !has_any(*world.far, needed_by(world, "near0")));
  EXPECT_TRUE(has_all(*world.far, needed_by(world, "far0")) && !has_any(*world.near, needed_by(world, "far0")));
  EXPECT_TRUE(world.chunks("nowhere0").empty());
  EXPECT_EQ(world.evict("nowhere0").error(), Code::kBusy);
  world.expect_to_come_back("near3", noise(5000, 23));
  world.expect_to_come_back("far3", noise(5000, 33));
  EXPECT_TRUE(verify(world).problems.empty());
  EXPECT_TRUE(scrub_cold(world).clean());
}

TEST(TierPolicy, ASkippedTierThatIsAwayHoldsNothingUp) {
  World world({.seed = 2});
  world.far->faulty.set_down(true);
  write(world, "f", kFar, noise(3 * kChunkBytes, 1));
  EXPECT_TRUE(world.upload().first_failure.ok());
  EXPECT_EQ(world.pending(), 0u);
  ASSERT_TRUE(world.evict("f"));
  ASSERT_TRUE(world.restore("f"));
  // It is skipped only now, and was waiting for that tier.
  world.write("g", noise(3 * kChunkBytes, 2));
  EXPECT_FALSE(world.upload().first_failure.ok());
  EXPECT_EQ(world.pending(), 1u);
  skip(world, "g", kFar);
  const uint64_t puts = world.near->faulty.requests(Kind::kPut);
  EXPECT_TRUE(world.upload().first_failure.ok());
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(world.near->faulty.requests(Kind::kPut), puts);  // that one had it
  EXPECT_TRUE(world.evict("g"));
}

io::Task<void> cancel_after(io::CancelToken* token, int64_t ns) {
  co_await io::sleep_for(ns);
  token->cancel();
}
io::Task<UploadSummary> upload_for(World* world, int64_t ns) {
  io::CancelToken token;
  io::detach(cancel_after(&token, ns));
  co_return (co_await world->uploader->pass(&token, {.rate_now = [] { return kChunkBytes; }})).value();
}
// A chunk a second is read, and after six all is stopped.
TEST(TierPolicy, WhatHasWaitedLongestGoesFirstWhateverItsPolicy) {
  for (const uint32_t skipped : {kFar, uint32_t{0}}) {
    World world({.seed = 5});
    write(world, "old", skipped, noise(4 * kChunkBytes, 1));
    world.pass_time(1'000'000'000);
    write(world, "new", skipped ^ kFar, noise(4 * kChunkBytes, 2));
    EXPECT_EQ(world.run(upload_for(&world, 6'500'000'000)).files, 1u);
    EXPECT_TRUE(world.evict("old")) << "with " << skipped;
    EXPECT_EQ(world.evict("new").error(), Code::kBusy);
  }
}

TEST(TierPolicy, ATierThatIsSkippedNoMoreGetsTheFileAndNoNeighbours) {
  for (const bool evicted : {false, true}) {
    World world({.seed = 3});
    const std::string content = noise(5 * kChunkBytes + 9, 1);
    write(world, "f", kFar, content);
    write(world, "neighbour", kFar, noise(2 * kChunkBytes, 2));
    EXPECT_EQ(world.upload().blobs, 1u);
    if (evicted) ASSERT_TRUE(world.evict("f"));
    skip(world, "f", 0);
    EXPECT_EQ(world.pending(), 1u);
    const UploadSummary done = world.upload();
    EXPECT_EQ(done.files, 1u) << done.first_failure.to_string();
    EXPECT_EQ(done.chunks, 6u);
    EXPECT_EQ(world.pending(), 0u);
    EXPECT_EQ(world.stat("f").content.evicted, evicted);
    EXPECT_TRUE(has_all(*world.far, needed_by(world, "f")));
    EXPECT_FALSE(has_any(*world.far, needed_by(world, "neighbour")));
    world.near->faulty.set_down(true);
    if (!evicted) ASSERT_TRUE(world.evict("f"));
    ASSERT_TRUE(world.restore("f"));
    EXPECT_TRUE(world.read("f") == content);
  }
}

TEST(TierPolicy, WhileThatTierIsAwayNothingIsSentTwice) {
  World world({.seed = 4});
  write(world, "f", kFar, noise(3 * kChunkBytes, 1));
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  skip(world, "f", 0);
  world.far->faulty.set_down(true);
  world.write("other", noise(kChunkBytes, 2));
  world.upload();
  EXPECT_EQ(world.pending(), 2u);
  world.far->faulty.set_down(false);
  world.upload();
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_TRUE(has_all(*world.far, needed_by(world, "f")));
}

TEST(TierPolicy, ATierThatMissedABlobGetsItUnlessItIsToBeKeptOut) {
  World world({.seed = 5});
  write(world, "f", kFar, noise(3 * kChunkBytes, 1));
  world.write("g", noise(3 * kChunkBytes, 2));
  world.far->faulty.set_down(true);
  world.upload();
  EXPECT_EQ(world.pending(), 1u);
  world.far->faulty.set_down(false);
  EXPECT_EQ(world.upload().copied_blobs, 1u);
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(objects_of(*world.far), needed_by(world, "g"));
}

TEST(TierPolicy, WhatATierHasStaysUntilTheFileIsRewritten) {
  World world({.seed = 6});
  world.write("f", noise(3 * kChunkBytes, 1));
  world.write("g", noise(3 * kChunkBytes, 2));
  world.upload();
  skip(world, "f", kFar);
  skip(world, "g", meta::kEveryTier);
  EXPECT_EQ(world.pending(), 0u);
  collect(world);
  EXPECT_EQ(objects_of(*world.far).size(), 1u);
  world.write("f", noise(3 * kChunkBytes, 3));
  world.write("g", noise(3 * kChunkBytes, 4));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(done.postponed, 0u);
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_TRUE(world.chunks("g").empty());
  collect(world);
  EXPECT_TRUE(objects_of(*world.far).empty());
  EXPECT_EQ(objects_of(*world.near), needed_by(world, "f"));
}

TEST(TierPolicy, RepackedBlobsKeepOutOfTheSameTiers) {
  World world({.seed = 7});
  std::map<std::string, std::string> kept;
  for (int i = 0; i < 6; ++i) {
    const std::string number = std::to_string(i);
    for (const auto& [name, skipped] : {std::pair<std::string, uint32_t>("all" + number, 0), {"near" + number, kFar}}) {
      write(world, name, skipped, noise(2 * kChunkBytes, static_cast<uint64_t>(i) * 7 + skipped));
      if (i == 5) kept[name] = noise(2 * kChunkBytes, static_cast<uint64_t>(i) * 7 + skipped);
    }
  }
  world.upload();
  for (int i = 0; i < 5; ++i)
    for (const char* name : {"all", "near"}) world.remove(name + std::to_string(i));
  EXPECT_EQ(collect(world).repacked, 2u);
  collect(world);
  EXPECT_EQ(objects_of(*world.far), needed_by(world, "all5"));
  EXPECT_TRUE(has_all(*world.near, needed_by(world, "near5")));
  EXPECT_NE(needed_by(world, "near5"), needed_by(world, "all5"));
  for (const meta::Blob& blob : world.blobs()) EXPECT_EQ(blob.tiers | blob.skip, kNear | kFar);
  EXPECT_TRUE(verify(world).problems.empty());
  for (const auto& [name, content] : kept) world.expect_to_come_back(name, content);
}

TEST(TierPolicy, GarbageInOneTierDoesNotWaitForAnother) {
  World world({.seed = 8});
  write(world, "f", kFar, noise(3 * kChunkBytes, 1));
  world.upload();
  world.remove("f");
  world.far->faulty.set_down(true);
  const uint64_t asked = world.far->faulty.requests(Kind::kRemove);
  EXPECT_EQ(collect(world).removed, 1u);
  EXPECT_TRUE(objects_of(*world.near).empty());
  EXPECT_EQ(world.far->faulty.requests(Kind::kRemove), asked);
}

TEST(TierPolicy, DamageIsRescuedIntoTheSameTiers) {
  World world({.seed = 9});
  const std::string content = noise(3 * kChunkBytes, 1);
  write(world, "f", kFar, content);
  world.upload();
  // The blob as a whole is gone, its frames are not.
  const std::string key = *objects_of(*world.near).begin();
  world.flip(*world.near, key, world.near->mem->sizes().at(key) - 3);
  EXPECT_EQ(scrub_cold(world).rescued_chunks, 3u);
  EXPECT_FALSE(needed_by(world, "f").contains(key));
  collect(world);
  EXPECT_TRUE(objects_of(*world.far).empty());
  EXPECT_TRUE(scrub_cold(world).clean());
  EXPECT_EQ(world.blobs().front().skip, kFar);
  world.expect_to_come_back("f", content);
}

// Whatever the stores do, and however often users change their minds: in the end every file is where it is to be, and
// nothing ever was where it was never to be.
void live_through(uint64_t seed) {
  World world({.seed = seed,
               .faults = {.refused = 0.1, .answer_lost = 0.1, .truncated = 0.1, .max_latency_ns = 2'000'000'000}});
  SeededRandom choose(seed * 37);
  std::map<std::string, std::string> expected;
  write(world, "private", kFar, noise(3 * kChunkBytes, seed));
  for (int step = 0; step < 40; ++step) {
    const std::string name = "f" + std::to_string(choose.below(5));
    const uint64_t what = choose.below(10);
    if (what < 3 || !expected.contains(name)) {
      if (expected.contains(name) && world.stat(name).content.evicted) ASSERT_TRUE(world.restore(name));
      expected[name] = noise(1 + choose.below(6 * kChunkBytes), choose.next());
      world.write(name, expected[name]);
    } else if (what < 5) {
      constexpr uint32_t kPolicies[] = {0, kNear, kFar, meta::kEveryTier};
      skip(world, name, kPolicies[choose.below(4)]);
    } else if (what < 7) {
      if (choose.below(3) == 0) world.far->faulty.set_down(true);
      world.upload();
      world.far->faulty.set_down(false);
    } else if (what < 9) {
      (void)world.evict(name);  // refused where it must be
    } else {
      collect(world);
    }
    EXPECT_FALSE(has_any(*world.far, needed_by(world, "private")));
  }
  for (int attempt = 0; attempt < 20 && world.pending() > 0; ++attempt) world.upload();
  EXPECT_EQ(world.pending(), 0u);
  for (const auto& [name, content] : expected) {
    const meta::Attr attr = world.stat(name);
    if (!attr.policy.skips_every_tier()) {
      if ((attr.policy.skip & kNear) == 0) EXPECT_TRUE(has_all(*world.near, needed_by(world, name))) << name;
      if ((attr.policy.skip & kFar) == 0) EXPECT_TRUE(has_all(*world.far, needed_by(world, name))) << name;
      if (!attr.content.evicted) ASSERT_TRUE(world.evict(name)) << name;
    }
    if (world.stat(name).content.evicted) ASSERT_TRUE(world.restore(name)) << name;
    EXPECT_TRUE(world.read(name) == content) << name;
  }
}

TEST(TierPolicy, LivesThroughBadStores) { firn::testing::for_seeds(60, live_through); }

}  // namespace
}  // namespace firn::tier
