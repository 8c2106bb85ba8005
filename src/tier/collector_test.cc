// The collector: what it removes, what it must not, and what it does about mistakes.
#include "tier/collector.h"

#include "meta/keys.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::Kind;
using object::testing::noise;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;
constexpr int64_t kHour = 3600LL * 1'000'000'000;
constexpr int64_t kGrace = 24 * kHour;

CollectSummary collect(World& world, CollectOptions options = {}) {
  options.key = world.options.key;
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, options);
  return world.run(collector.pass(nullptr)).value();
}

void set_counter(World& world, const std::string& blob, uint64_t value) {
  const auto set = [](World* w, std::string name, uint64_t bytes) -> io::Task<Result<void>> {
    const auto transaction = w->engine->begin();
    transaction->put(meta::blob_live_key(name), meta::encode_counter(bytes));
    CO_TRY(co_await transaction->commit());
    co_return Result<void>();
  };
  ASSERT_TRUE(world.run(set(&world, blob, value)));
}

// Two blobs: of what the file was, and of what it is.
std::string write_twice(World& world, const std::string& name) {
  world.write(name, noise(5 * kChunkBytes, 1));
  world.upload();
  const std::string content = noise(5 * kChunkBytes + 9, 2);
  world.write(name, content);
  world.upload();
  return content;
}

TEST(Collector, RemovesWhatHasBeenDeadForTheGrace) {
  World world({.seed = 1});
  const std::string content = write_twice(world, "f");
  EXPECT_EQ(world.objects().size(), 2u);
  const CollectSummary young = collect(world);
  EXPECT_EQ(young.blobs, 2u);
  EXPECT_EQ(young.live, 1u);
  EXPECT_EQ(young.dead, 1u);
  EXPECT_EQ(young.waiting, 1u);
  world.pass_time(kGrace);
  EXPECT_EQ(collect(world).removed, 0u);  // it is from now on that the collector knows it to be dead
  world.pass_time(kGrace - kHour);
  EXPECT_EQ(collect(world).removed, 0u);
  EXPECT_EQ(world.objects().size(), 2u);
  world.pass_time(kHour);
  const CollectSummary done = collect(world);
  EXPECT_EQ(done.removed, 1u);
  EXPECT_EQ(done.waiting, 0u);
  ASSERT_EQ(done.removed_bytes.size(), 2u);
  EXPECT_GT(done.removed_bytes[0], 5 * kChunkBytes);
  EXPECT_EQ(done.removed_bytes[0], done.removed_bytes[1]);
  EXPECT_EQ(world.objects(), world.needed_objects());
  EXPECT_EQ(world.blobs().size(), 1u);
  world.expect_to_come_back("f", content);
}

TEST(Collector, WithoutAGraceOnePassIsEnough) {
  World world({.seed = 2});
  const std::string content = write_twice(world, "f");
  EXPECT_EQ(collect(world, {.grace_ns = 0}).removed, 1u);
  EXPECT_EQ(world.objects(), world.needed_objects());
  world.expect_to_come_back("f", content);
  world.remove("f");
  EXPECT_EQ(collect(world, {.grace_ns = 0}).removed, 1u);
  EXPECT_TRUE(world.objects().empty());
  EXPECT_TRUE(world.blobs().empty());
}

TEST(Collector, RemovesWhatNobodyConfirmedFromEveryTier) {
  World world({.seed = 3});
  const BlobId id = BlobId::make(*world.random);
  ASSERT_TRUE(world.run(world.meta->announce_blob(name_of(id), 100, 0, 0)));
  ASSERT_TRUE(world.run(world.far->mem->put(key_of(id), object::Content("half of it"), {}, {})));
  world.pass_time(kGrace - kHour);
  EXPECT_EQ(collect(world).waiting, 1u);  // an uploader may be at it
  EXPECT_EQ(world.objects().size(), 1u);
  world.pass_time(kHour);
  EXPECT_EQ(collect(world).removed, 1u);
  EXPECT_TRUE(world.objects().empty());
  EXPECT_TRUE(world.blobs().empty());
}

TEST(Collector, WhatAProcessThatDiedWasAtNeedsNoLongerThanTheGrace) {
  World world({.seed = 30});
  const BlobId id = BlobId::make(*world.random);
  ASSERT_TRUE(world.run(world.meta->announce_blob(name_of(id), 100, 0, 0)));
  ASSERT_TRUE(world.run(world.far->mem->put(key_of(id), object::Content("half of it"), {}, {})));
  EXPECT_EQ(collect(world, {.grace_ns = 0}).waiting, 1u);
  world.pass_time(1);
  world.restart(/*power_cut=*/false);
  const Timestamp now = world.reactor->clock().now();
  const BlobId ours = BlobId::make(*world.random);
  ASSERT_TRUE(world.run(world.meta->announce_blob(name_of(ours), 100, 0, 0)));
  const CollectSummary done = collect(world, {.grace_ns = 0, .putting_since = now});
  EXPECT_EQ(done.removed, 1u);
  EXPECT_EQ(done.waiting, 1u);
  EXPECT_TRUE(world.objects().empty());
}

TEST(Collector, APutThatWasStalledForLongerCommitsNothingAndLeaksNothing) {
  World world({.seed = 4});
  world.write("f", noise(kChunkBytes, 4));
  const BlobId id = BlobId::make(*world.random);
  ASSERT_TRUE(world.run(world.meta->announce_blob(name_of(id), 100, 0, 0)));
  world.pass_time(kGrace);
  EXPECT_EQ(collect(world).removed, 1u);
  // The machine wakes up, and the put goes on.
  ASSERT_TRUE(world.run(world.near->mem->put(key_of(id), object::Content("late"), {}, {})));
  EXPECT_EQ(world.run(world.meta->confirm_blob(name_of(id), 1)).error(), Code::kStale);
  const meta::Attr file = world.stat("f");
  const auto committed = world.run(world.meta->commit_upload(
      {.inode = file.inode,
       .generation = file.content.generation,
       .chunks = {{.index = ChunkIndex(), .bytes = kChunkBytes, .blob = name_of(id), .offset = 48, .frame_bytes = 99}},
       .complete = true,
       .chunk_count = 1}));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error(), Code::kStale);
  EXPECT_EQ(world.pending(), 1u);
  EXPECT_TRUE(world.chunks("f").empty());
  world.pass_time(kGrace);
  collect(world);
  EXPECT_TRUE(world.objects().empty());
}

TEST(Collector, ADryRunWritesNothing) {
  World world({.seed = 5});
  write_twice(world, "f");
  world.pass_time(kGrace);
  const auto version = world.engine->last_version();
  const CollectSummary would = collect(world, {.grace_ns = 0, .dry_run = true});
  EXPECT_EQ(would.removed, 1u);
  EXPECT_GT(would.removed_bytes[0], 0u);
  EXPECT_EQ(collect(world, {.dry_run = true}).waiting, 1u);
  EXPECT_EQ(world.engine->last_version(), version);
  EXPECT_EQ(world.objects().size(), 2u);
}

TEST(Collector, ABlobWithReferencesStaysWhateverItsCounterSays) {
  World world({.seed = 6});
  const std::string content = write_twice(world, "f");
  const std::string live = world.chunks("f")[0].blob;
  const uint64_t right = world.run(world.meta->get_blob(live)).value().live_bytes;
  set_counter(world, live, 0);
  for (int i = 0; i < 3; ++i) {
    const CollectSummary seen = collect(world, {.grace_ns = 0});
    EXPECT_EQ(seen.wrong_counters, 1u);
    EXPECT_EQ(seen.mended_counters, 0u);
  }
  EXPECT_TRUE(world.objects().contains(key_of(blob_id_of_name(live))));
  EXPECT_EQ(collect(world, {.grace_ns = 0, .mend_counters = true}).mended_counters, 1u);
  EXPECT_EQ(world.run(world.meta->get_blob(live)).value().live_bytes, right);
  EXPECT_EQ(collect(world, {.grace_ns = 0}).wrong_counters, 0u);
  world.expect_to_come_back("f", content);
}

TEST(Collector, ADeadBlobWithAWrongCounterStaysUntilThatIsMended) {
  World world({.seed = 7});
  write_twice(world, "f");
  std::string dead;
  for (const meta::Blob& blob : world.blobs())
    if (blob.name != world.chunks("f")[0].blob) dead = blob.name;
  set_counter(world, dead, 77);
  EXPECT_EQ(collect(world, {.grace_ns = 0}).removed, 0u);
  EXPECT_EQ(world.objects().size(), 2u);
  const CollectSummary done = collect(world, {.grace_ns = 0, .mend_counters = true});
  EXPECT_EQ(done.mended_counters, 1u);
  EXPECT_EQ(done.removed, 1u);
  EXPECT_EQ(world.objects(), world.needed_objects());
}

TEST(Collector, TellsSomebodyBeforeAnythingIsRemoved) {
  World world({.seed = 8});
  write_twice(world, "f");
  int told = 0;
  bool fails = true;
  CollectOptions options{.grace_ns = 0};
  const auto hook = [](World* w, int* count, const bool* refuses,
                       const Timestamp* held) -> io::Task<Result<Timestamp>> {
    ++*count;
    EXPECT_EQ(w->objects().size(), 2u);
    EXPECT_EQ(w->engine->synced_version(), w->engine->last_version());
    size_t retired = 0;
    for (const meta::Blob& blob : (co_await w->meta->list_blobs("", 10)).value())
      retired += blob.dead_since.has_value();
    EXPECT_EQ(retired, 1u);
    if (*refuses) co_return fail(Code::kUnavailable, "the bucket is away");
    co_return *held;
  };
  Timestamp held;  // readers have not heard of anything
  options.before_remove = [&] { return hook(&world, &told, &fails, &held); };
  const CollectSummary failed = collect(world, options);
  EXPECT_EQ(failed.removed, 0u);
  EXPECT_EQ(failed.failed, 1u);
  EXPECT_EQ(failed.first_failure, Code::kUnavailable);
  EXPECT_EQ(world.objects().size(), 2u);
  fails = false;
  const CollectSummary waits = collect(world, options);
  EXPECT_EQ(waits.removed, 0u);
  EXPECT_EQ(waits.held, 1u);
  EXPECT_EQ(waits.waiting, 1u);
  EXPECT_EQ(world.objects().size(), 2u);
  held = world.reactor->clock().now();
  EXPECT_EQ(collect(world, options).removed, 1u);
  EXPECT_EQ(told, 3);
  EXPECT_EQ(world.objects().size(), 1u);
}

TEST(Collector, ATierThatIsDownIsTriedAgain) {
  World world({.seed = 9});
  write_twice(world, "f");
  world.far->faulty.set_down(true);
  const CollectSummary failed = collect(world, {.grace_ns = 0});
  EXPECT_EQ(failed.removed, 0u);
  EXPECT_EQ(failed.failed, 1u);
  EXPECT_NE(failed.first_failure.message().find("far"), std::string::npos) << failed.first_failure.message();
  EXPECT_EQ(world.blobs().size(), 2u);
  world.far->faulty.set_down(false);
  EXPECT_EQ(collect(world, {.grace_ns = 0}).removed, 1u);
  EXPECT_EQ(world.objects(), world.needed_objects());
}

TEST(Collector, AChunkRecordThatCannotBeReadStopsIt) {
  World world({.seed = 10});
  write_twice(world, "f");
  const auto spoil = [](World* w, InodeId inode) -> io::Task<Result<void>> {
    const auto transaction = w->engine->begin();
    transaction->put(meta::chunk_key(inode, ChunkIndex(2)), "rubbish");
    CO_TRY(co_await transaction->commit());
    co_return Result<void>();
  };
  ASSERT_TRUE(world.run(spoil(&world, world.stat("f").inode)));
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, {.grace_ns = 0});
  const auto done = world.run(collector.pass(nullptr));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), Code::kCorrupt);
  EXPECT_NE(done.error().message().find("inode"), std::string::npos) << done.error().message();
  EXPECT_EQ(world.objects().size(), 2u);
}

// Files packed into one blob, most of which then go.
std::map<std::string, std::string> leave_a_third(World& world) {
  std::map<std::string, std::string> contents;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "f" + std::to_string(i);
    world.write(name, contents[name] = noise(3000 + static_cast<size_t>(i) * 100, static_cast<uint64_t>(i)));
  }
  world.upload();
  for (int i = 0; i < 60; ++i) {
    if (i % 3 == 0) continue;
    world.remove("f" + std::to_string(i));
    contents.erase("f" + std::to_string(i));
  }
  return contents;
}

void expect_repacking(World& world) {
  const auto contents = leave_a_third(world);
  const std::set<std::string> before = world.objects();
  EXPECT_EQ(before.size(), 1u);
  EXPECT_EQ(collect(world, {.repack_min_bytes = 1}).repacked, 0u);  // too young
  world.pass_time(kGrace);
  EXPECT_EQ(collect(world).repacked, 0u);  // too small
  EXPECT_EQ(collect(world, {.repack_below = 0.1, .repack_min_bytes = 1}).repacked, 0u);
  EXPECT_EQ(collect(world, {.repack_min_bytes = 1, .max_repacked_bytes = 1000}).repacked, 0u);
  EXPECT_EQ(collect(world, {.dry_run = true, .repack_min_bytes = 1}).repacked, 1u);
  EXPECT_EQ(world.objects(), before);
  const uint64_t gets = world.near->faulty.requests(Kind::kGet);
  const CollectSummary moved = collect(world, {.repack_min_bytes = 1});
  EXPECT_EQ(moved.repacked, 1u);
  EXPECT_GE(moved.moved_chunks, 20u);
  EXPECT_EQ(moved.failed, 0u) << moved.first_failure.to_string();
  EXPECT_LE(world.near->faulty.requests(Kind::kGet) - gets, 3u);  // neighbours come together
  EXPECT_EQ(world.objects().size(), 2u);
  EXPECT_EQ(collect(world).dead, 1u);
  world.pass_time(kGrace);
  EXPECT_EQ(collect(world).removed, 1u);
  EXPECT_EQ(world.objects(), world.needed_objects());
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(collect(world).wrong_counters, 0u);
  for (const auto& [name, content] : contents) world.expect_to_come_back(name, content);
}

TEST(Collector, RepacksWhatIsMostlyDead) {
  World world({.seed = 11});
  expect_repacking(world);
}

TEST(Collector, RepacksSealedBlobs) {
  Key key{};
  key[5] = std::byte{9};
  World world({.seed = 12, .key = key});
  expect_repacking(world);
}

TEST(Collector, RepacksWhatTheNearTierHasDamagedFromTheFarOne) {
  World world({.seed = 13});
  const auto contents = leave_a_third(world);
  for (uint64_t at = 100; at < 200'000; at += 10'000) world.flip(*world.near, *world.objects().begin(), at);
  world.pass_time(kGrace);
  std::set<std::string> met;
  const CollectSummary moved =
      collect(world, {.repack_min_bytes = 1, .on_damage = [&met](const Damage& damage) { met.insert(damage.tier); }});
  EXPECT_EQ(moved.repacked, 1u);
  EXPECT_EQ(moved.failed, 0u) << moved.first_failure.to_string();
  EXPECT_EQ(met, std::set<std::string>{"near"});
  world.far->faulty.set_down(true);
  for (const auto& [name, content] : contents) world.expect_to_come_back(name, content);
}

TEST(Collector, WhatCannotBeRepackedStaysWhereItIs) {
  World world({.seed = 14});
  const auto contents = leave_a_third(world);
  world.pass_time(kGrace);
  world.far->faulty.set_down(true);
  const CollectSummary failed = collect(world, {.repack_min_bytes = 1});
  EXPECT_EQ(failed.failed, 1u);
  EXPECT_EQ(failed.moved_chunks, 0u);
  world.far->faulty.set_down(false);
  EXPECT_EQ(collect(world, {.repack_min_bytes = 1}).failed, 0u);
  for (int i = 0; i < 3; ++i) {
    collect(world);
    world.pass_time(kGrace);
  }
  collect(world);
  EXPECT_EQ(world.objects(), world.needed_objects());
  for (const auto& [name, content] : contents) world.expect_to_come_back(name, content);
}

TEST(Collector, ATokenEndsIt) {
  World world({.seed = 15});
  write_twice(world, "f");
  io::CancelToken token;
  token.cancel();
  Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, {.grace_ns = 0});
  EXPECT_EQ(world.run(collector.pass(&token)).error(), Code::kInterrupted);
  EXPECT_EQ(world.objects().size(), 2u);
}

}  // namespace
}  // namespace firn::tier
