// A tier with another behind it makes room: what leaves it, what stays, and that nothing is lost by it.
#include "tier/tier_evictor.h"

#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/repair_queue.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"
#include "tier/verify_all.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::scrub_cold;
using testing::World;

constexpr uint64_t kFileBytes = 20'000;
constexpr int64_t kHourNs = 3600'000'000'000;

// Each in a blob of its own, an hour after the one before.
void write_files(World& world, int count) {
  for (int i = 0; i < count; ++i) {
    world.write("f" + std::to_string(i), noise(kFileBytes, static_cast<uint64_t>(i)));
    ASSERT_TRUE(world.upload().first_failure.ok());
    world.pass_time(kHourNs);
  }
}

std::string object_of(World& world, const std::string& name) {
  return key_of(blob_id_of_name(world.chunks(name).front().blob));
}

bool near_has(World& world, const std::string& name) {
  return world.near->mem->sizes().contains(object_of(world, name));
}

TierEvictSummary make_room(World& world, TierRoom near, KeeperCheckOptions keepers = {}) {
  TierEvictor evictor({*world.meta, *world.meta, world.hydrator->uses(), world.tiers()},
                      {.keepers = std::move(keepers)});
  return world.run(evictor.pass({near, {.max_bytes = 1}}, nullptr)).value();
}

CollectSummary collect(World& world) {
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()},
                      {.grace_ns = 0, .in_flight_ns = 0, .repack_min_bytes = 0});
  return world.run(collector.pass(nullptr)).value();
}

void expect_all_well(World& world, int count) {
  for (int i = 0; i < count; ++i)
    world.expect_to_come_back("f" + std::to_string(i), noise(kFileBytes, static_cast<uint64_t>(i)));
  EXPECT_TRUE(world.damaged.empty());
  EXPECT_TRUE(scrub_cold(world).clean());
  EXPECT_TRUE(world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr)).value().problems.empty());
}

TEST(TierEvictor, TheOldestLeaveUntilTheLowWatermark) {
  World world({.seed = 1});
  write_files(world, 10);
  const uint64_t each = world.near->mem->sizes().begin()->second;
  // Below the high watermark nothing happens.
  EXPECT_EQ(make_room(world, {.max_bytes = 20 * each}).evicted_blobs[0], 0u);
  const TierEvictSummary done = make_room(world, {.max_bytes = 10 * each, .high_percent = 90, .low_percent = 60});
  EXPECT_EQ(done.evicted_blobs[0], 4u);
  EXPECT_EQ(done.held_bytes[0], 6 * each);
  EXPECT_EQ(done.evicted_blobs[1], 0u);  // nothing leaves the last tier
  EXPECT_EQ(done.held_bytes[1], 10 * each);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(near_has(world, "f" + std::to_string(i)), i >= 4) << i;
  EXPECT_EQ(world.far->mem->sizes().size(), 10u);
  expect_all_well(world, 10);
  // And no upload brings it back.
  world.write("f10", noise(kFileBytes, 10));
  EXPECT_EQ(world.upload().copied_blobs, 0u);
  EXPECT_EQ(world.near->mem->sizes().size(), 7u);
}

TEST(TierEvictor, WhatWasReadLatelyStays) {
  World world({.seed = 2});
  write_files(world, 4);
  const uint64_t each = world.near->mem->sizes().begin()->second;
  ASSERT_TRUE(world.evict("f0"));
  ASSERT_TRUE(world.restore("f0"));
  EXPECT_EQ(make_room(world, {.max_bytes = 4 * each, .high_percent = 90, .low_percent = 50}).evicted_blobs[0], 2u);
  EXPECT_TRUE(near_has(world, "f0"));
  EXPECT_FALSE(near_has(world, "f1"));
  EXPECT_FALSE(near_has(world, "f2"));
  EXPECT_TRUE(near_has(world, "f3"));
}

TEST(TierEvictor, WhatNoTierBehindItHasStays) {
  World world({.seed = 3});
  world.far->faulty.set_down(true);
  world.write("f0", noise(kFileBytes, 0));
  EXPECT_FALSE(world.upload().first_failure.ok());
  world.far->faulty.set_down(false);
  world.write("f1", noise(kFileBytes, 1));
  ASSERT_TRUE(world.run(world.meta->set_policy({}, world.stat("f1").inode, {.skip = 2})));  // stays out of the far one
  world.far->faulty.set_down(true);
  EXPECT_FALSE(world.upload().first_failure.ok());
  world.far->faulty.set_down(false);
  EXPECT_EQ(make_room(world, {.max_bytes = 1}).evicted_blobs[0], 0u);
  EXPECT_EQ(make_room(world, {.full = true}).evicted_blobs[0], 0u);
  EXPECT_TRUE(near_has(world, "f0"));
  EXPECT_TRUE(near_has(world, "f1"));
  // Once the far tier has it, too, it may go.
  EXPECT_TRUE(world.upload().first_failure.ok());
  EXPECT_EQ(make_room(world, {.max_bytes = 1}).evicted_blobs[0], 1u);
  EXPECT_FALSE(near_has(world, "f0"));
  EXPECT_TRUE(near_has(world, "f1"));
  expect_all_well(world, 2);
}

TEST(TierEvictor, ATierThatSaysThatItIsFullMakesSomeRoom) {
  World world({.seed = 4});
  write_files(world, 3);
  const TierEvictSummary done = make_room(world, {.full = true});
  EXPECT_EQ(done.evicted_blobs[0], 3u);  // less than the least that goes at once
  EXPECT_TRUE(world.near->mem->sizes().empty());
  expect_all_well(world, 3);
}

TEST(TierEvictor, WhatCouldNotBeRemovedIsRemovedLater) {
  for (const bool power_cut : {false, true}) {
    World world({.seed = 5});
    write_files(world, 2);
    world.near->faulty.set_down(true);
    const TierEvictSummary failed = make_room(world, {.max_bytes = 1});
    EXPECT_EQ(failed.failed, 2u);
    EXPECT_FALSE(failed.first_failure.ok());
    world.near->faulty.set_down(false);
    EXPECT_EQ(world.near->mem->sizes().size(), 2u);
    world.restart(power_cut);
    world.expect_to_come_back("f0", noise(kFileBytes, 0));
    EXPECT_EQ(make_room(world, {}).failed, 0u);  // whatever the tier may hold now
    EXPECT_TRUE(world.near->mem->sizes().empty());
    for (const meta::Blob& blob : world.blobs()) EXPECT_EQ(blob.leaving, 0u);
    expect_all_well(world, 2);
  }
}

// What the record says is not enough: the far tier has lost one since, and has another cut short.
TEST(TierEvictor, WhatTheTierBehindHasLostStays) {
  World world({.seed = 9});
  write_files(world, 4);
  const std::string lost = object_of(world, "f0"), cut = object_of(world, "f2");
  ASSERT_TRUE(world.run(world.far->mem->remove(lost, {})));
  ASSERT_TRUE(world.far->mem->overwrite(cut, "cut short"));
  RepairQueue repairs;
  std::map<std::string, Status> told;
  const OnDamage on_damage = [&](const Damage& damage) {
    EXPECT_EQ(damage.tier, "far");
    told.emplace(key_of(blob_id_of_name(damage.chunk.blob)), damage.what);
    repairs.note(damage);
  };
  const TierEvictSummary done = make_room(world, {.max_bytes = 1}, {.on_damage = on_damage});
  EXPECT_EQ(done.evicted_blobs[0], 2u);
  EXPECT_TRUE(done.first_failure.ok());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(near_has(world, "f" + std::to_string(i)), i % 2 == 0) << i;
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told.at(lost), Code::kNotFound);
  EXPECT_EQ(told.at(cut), Code::kCorrupt);
  // They are put there again, and then they leave.
  io::CancelToken token;
  Scrubber scrubber = testing::make_scrubber(world);
  world.run(repairs.run(
      [&](RepairQueue::Object object, io::CancelToken* stop) -> io::Task<Result<void>> {
        Result<void> repaired = co_await scrubber.repair_or_rescue(object.blob, object.tier, stop);
        if (repairs.repaired_objects() == 1) token.cancel();
        co_return repaired;
      },
      &token));
  EXPECT_EQ(repairs.repaired_objects(), 2u);
  EXPECT_EQ(make_room(world, {.max_bytes = 1}).evicted_blobs[0], 2u);
  EXPECT_TRUE(world.near->mem->sizes().empty());
  expect_all_well(world, 4);
}

TEST(TierEvictor, NothingLeavesWhileTheTierBehindDoesNotAnswer) {
  World world({.seed = 10});
  write_files(world, 40);
  world.far->faulty.set_down(true);
  const TierEvictSummary down = make_room(world, {.max_bytes = 1}, {.heads_in_flight = 4});
  EXPECT_EQ(down.evicted_blobs[0], 0u);
  EXPECT_EQ(down.first_failure, Code::kUnavailable);
  EXPECT_NE(down.first_failure.message().find("tier far"), std::string::npos) << down.first_failure.message();
  EXPECT_EQ(world.near->mem->sizes().size(), 40u);
  for (const meta::Blob& blob : world.blobs()) EXPECT_EQ(blob.left, 0u);
  world.far->faulty.set_down(false);
  // Nor while it hangs, which ends.
  world.far->faulty.set_faults({.hung = 1});
  const int64_t begin = world.reactor->clock().monotonic_ns();
  EXPECT_EQ(make_room(world, {.max_bytes = 1}, {.head_ns = 5'000'000'000}).first_failure, Code::kTimedOut);
  EXPECT_LE(world.reactor->clock().monotonic_ns() - begin, 6'000'000'000);
  EXPECT_EQ(world.near->mem->sizes().size(), 40u);
  world.far->faulty.set_faults({});
  // One HEAD for each, and no more of them than have to leave.
  const uint64_t each = world.near->mem->sizes().begin()->second;
  const uint64_t before = world.far->faulty.requests(object::Kind::kHead);
  EXPECT_EQ(make_room(world, {.max_bytes = 40 * each, .high_percent = 50, .low_percent = 50}).evicted_blobs[0], 20u);
  EXPECT_EQ(world.far->faulty.requests(object::Kind::kHead) - before, 20u);
  expect_all_well(world, 40);
}

TEST(TierEvictor, ACancelledPassEndsWhereItIs) {
  World world({.seed = 11});
  write_files(world, 4);
  world.far->faulty.set_faults({.hung = 1});
  io::CancelToken token;
  TierEvictor evictor({*world.meta, *world.meta, world.hydrator->uses(), world.tiers()}, {});
  const auto cancel_soon = [](io::CancelToken* stop) -> io::Task<void> {
    (void)co_await io::sleep_for(1'000'000'000);
    stop->cancel();
  };
  io::CancelToken* const stop = &token;
  world.run([](auto cancel, TierEvictor* one, io::CancelToken* until) -> io::Task<void> {
    io::detach(cancel(until));
    const auto done = co_await one->pass({{.max_bytes = 1}, {}}, until);
    EXPECT_EQ(done.error(), Code::kInterrupted);
  }(cancel_soon, &evictor, stop));
  EXPECT_EQ(world.near->mem->sizes().size(), 4u);
  for (const meta::Blob& blob : world.blobs()) EXPECT_EQ(blob.left, 0u);
}

// A far tier that somebody has emptied is not asked for everything.
TEST(TierEvictor, ATierBehindThatLacksMuchIsNotBelieved) {
  World world({.seed = 12});
  write_files(world, 10);
  for (const auto& [key, bytes] : world.far->mem->sizes()) ASSERT_TRUE(world.run(world.far->mem->remove(key, {})));
  int told = 0;
  const TierEvictSummary done =
      make_room(world, {.max_bytes = 1},
                {.heads_in_flight = 1, .max_lacking = 3, .on_damage = [&told](const Damage&) { ++told; }});
  EXPECT_EQ(told, 3);
  EXPECT_EQ(done.first_failure, Code::kIo);
  EXPECT_EQ(done.evicted_blobs[0], 0u);
  EXPECT_EQ(world.near->mem->sizes().size(), 10u);
}

// Its size is right, so that the far tier does not know. Scrub does, and cannot repair it while the far tier takes
// nothing.
TEST(TierEvictor, WhatTheTierBehindHasDamagedStays) {
  for (const bool power_cut : {false, true}) {
    World world({.seed = 13});
    write_files(world, 2);
    const std::string key = object_of(world, "f0"), blob = world.chunks("f0").front().blob;
    const auto unsound = [&] { return world.run(world.meta->get_blob(blob))->unsound; };
    world.flip(*world.far, key, testing::in_last_block(world.chunks("f0").front()));
    world.far->faulty.set_faults({.forgotten = 1});
    EXPECT_EQ(scrub_cold(world).damaged, 1u);
    EXPECT_EQ(scrub_cold(world).repaired, 0u);
    EXPECT_EQ(unsound(), 2u);
    world.far->faulty.set_faults({});
    if (power_cut) world.sync();
    world.restart(power_cut);
    EXPECT_EQ(make_room(world, {.max_bytes = 1}).evicted_blobs[0], 1u);
    EXPECT_TRUE(near_has(world, "f0"));
    EXPECT_FALSE(near_has(world, "f1"));
    EXPECT_EQ(unsound(), 2u);
    // Scrub looks again, repairs it, and then it may go.
    EXPECT_EQ(scrub_cold(world).repaired, 1u);
    EXPECT_EQ(unsound(), 0u);
    EXPECT_EQ(make_room(world, {.max_bytes = 1}).evicted_blobs[0], 1u);
    EXPECT_TRUE(world.near->mem->sizes().empty());
    expect_all_well(world, 2);
  }
}

// A crash, or the near tier's absence, lies between the record and the removal: the far tier may have lost it
// meanwhile.
TEST(TierEvictor, WhatWasToLeaveComesBackWhenTheTierBehindHasLostIt) {
  World world({.seed = 14});
  write_files(world, 4);
  std::vector<std::string> keys, blobs;
  for (int i = 0; i < 4; ++i) {
    keys.push_back(object_of(world, "f" + std::to_string(i)));
    blobs.push_back(world.chunks("f" + std::to_string(i)).front().blob);
    ASSERT_TRUE(world.run(world.meta->begin_leaving(blobs.back(), 1, 2)));
  }
  ASSERT_TRUE(world.run(world.far->mem->remove(keys[0], {})));     // only the near tier has it
  ASSERT_TRUE(world.run(world.meta->distrust_copy(blobs[1], 2)));  // as far as anybody knows
  ASSERT_TRUE(world.run(world.near->mem->remove(keys[2], {})));    // it was gone already
  world.far->faulty.set_down(true);
  EXPECT_EQ(make_room(world, {}).first_failure, Code::kUnavailable);
  EXPECT_EQ(world.near->mem->sizes().size(), 3u);
  world.far->faulty.set_down(false);
  EXPECT_TRUE(make_room(world, {}).first_failure.ok());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(near_has(world, "f" + std::to_string(i)), i < 2) << i;
    const meta::Blob now = world.run(world.meta->get_blob(blobs[i])).value();
    EXPECT_EQ(now.tiers, i < 2 ? 3u : 2u) << i;
    EXPECT_EQ(now.leaving, 0u) << i;
  }
  EXPECT_EQ(scrub_cold(world).repaired, 1u);
  expect_all_well(world, 4);
}

// A reader that has read the record just before looks where the object is not any more.
TEST(TierEvictor, AReaderThatComesTooLateGoesToTheNextTier) {
  World world({.seed = 6});
  write_files(world, 1);
  const meta::Chunk chunk = world.chunks("f0").front();
  ASSERT_TRUE(world.run(world.meta->begin_leaving(chunk.blob, 1, 2)));
  ASSERT_TRUE(world.evict("f0"));
  world.expect_to_come_back("f0", noise(kFileBytes, 0));
  EXPECT_TRUE(world.damaged.empty());
}

TEST(TierEvictor, CollectingAndRepackingGoOn) {
  World world({.seed = 7});
  world.write("f0", noise(kFileBytes, 0));
  for (int i = 0; i < 6; ++i) world.write("big" + std::to_string(i), noise(kFileBytes, 100 + static_cast<uint64_t>(i)));
  ASSERT_TRUE(world.upload().first_failure.ok());
  world.pass_time(kHourNs);
  EXPECT_GE(make_room(world, {.max_bytes = 1}).evicted_blobs[0], 1u);
  for (int i = 0; i < 6; ++i) world.remove("big" + std::to_string(i));
  EXPECT_EQ(collect(world).repacked, 1u);
  // What is left of it stays out of the near tier.
  EXPECT_TRUE(world.near->mem->sizes().empty());
  EXPECT_EQ(world.upload().copied_blobs, 0u);
  expect_all_well(world, 1);
  world.remove("f0");
  world.pass_time(kHourNs);
  (void)collect(world);
  EXPECT_TRUE(world.far->mem->sizes().empty());
}

TEST(TierEvictor, AKeeperMustHaveIt) {
  World world({.seed = 8});
  write_files(world, 1);
  const std::string blob = world.chunks("f0").front().blob;
  EXPECT_EQ(world.run(world.meta->begin_leaving(blob, 2, 4)).error(), Code::kBusy);
  EXPECT_EQ(world.run(world.meta->begin_leaving(blob, 2, 0)).error(), Code::kBusy);
  EXPECT_EQ(world.run(world.meta->begin_leaving(blob, 2, 2)).error(), Code::kBusy);
  ASSERT_TRUE(world.run(world.meta->begin_leaving(blob, 1, 2)));
  // The other one cannot follow.
  EXPECT_EQ(world.run(world.meta->begin_leaving(blob, 2, 1)).error(), Code::kBusy);
  // What is put there again is there again.
  ASSERT_TRUE(world.run(world.meta->confirm_blob(blob, 1)));
  EXPECT_EQ(world.blobs().front().left, 0u);
  EXPECT_EQ(world.blobs().front().leaving, 0u);
}

}  // namespace
}  // namespace firn::tier
