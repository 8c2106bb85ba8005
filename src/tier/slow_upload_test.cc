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

io::Task<void> wait_until_ended(Beside* beside) {
  while (!beside->ended) (void)co_await io::sleep_for(kSecond);
}

std::string small_name(int i) { return "small" + std::to_string(i); }

// New files, and new versions of old ones, and a file that a pass is at for minutes after it has sent them.
struct ManyAndOne {
  static constexpr int kSmall = 20;

  explicit ManyAndOne(World& world) : world_(world) {
    for (int i = 0; i < kSmall; i += 2) world.write(small_name(i), "the former version");
    world.upload();
    for (int i = 0; i < kSmall; ++i) world.write(small_name(i), content(i));
    world.write("large", large);
    io::detach_on(*world.reactor, upload_slowly(&beside));
    world.pass_time(150 * kSecond);
    EXPECT_FALSE(beside.ended);
  }
  static std::string content(int i) { return noise(100'000, static_cast<uint64_t>(i)); }
  void end() {
    world_.run(wait_until_ended(&beside));
    ASSERT_TRUE(beside.uploaded);
  }

  World& world_;
  const std::string large = noise(200 * kMiB, 99);
  Beside beside{world_, 0, kMiB, SeededRandom(1), false, {}};
};

TEST(SlowUpload, WhatHasArrivedWaitsForNoOtherFile) {
  World world({.seed = 1, .chunk_bytes = kMiB});
  ManyAndOne files(world);
  EXPECT_EQ(world.pending(), 1u);
  for (int i = 0; i < ManyAndOne::kSmall; ++i) EXPECT_TRUE(world.evict(small_name(i))) << i;
  files.end();
  EXPECT_EQ(files.beside.uploaded->files, ManyAndOne::kSmall + 1u);
  EXPECT_EQ(files.beside.uploaded->failed, 0u);
  EXPECT_EQ(world.pending(), 0u);
  for (int i = 0; i < ManyAndOne::kSmall; ++i) world.expect_to_come_back(small_name(i), ManyAndOne::content(i));
  world.expect_to_come_back("large", files.large);
}

// A pass that has read half of a file is overtaken by an fsync's upload of it, and the file is evicted: the other half
// reads as a hole.
TEST(SlowUpload, WhatIsReadOfAnEvictedFileIsNotRecorded) {
  for (const bool replaces : {false, true}) {
    World world({.seed = 5, .chunk_bytes = kMiB});
    if (replaces) world.write("f", "the former version");
    if (replaces) world.upload();
    const std::string content = noise(200 * kMiB, 98);
    world.write("f", content);
    Beside beside{world, 0, kMiB, SeededRandom(1), false, {}};
    io::detach_on(*world.reactor, upload_slowly(&beside));
    world.pass_time(100 * kSecond);
    ASSERT_FALSE(beside.ended);
    ASSERT_EQ(world.run(world.uploader->upload(world.stat("f").inode, nullptr)).value().files, 1u);
    ASSERT_TRUE(world.evict("f"));
    world.run(wait_until_ended(&beside));
    ASSERT_TRUE(beside.uploaded);
    EXPECT_EQ(world.pending(), 0u);
    world.expect_to_come_back("f", content);
  }
}

// Of what a pass had sent when its process died, nothing is sent again.
TEST(SlowUpload, ACrashCostsNoMoreThanWhatIsUnderWay) {
  World world({.seed = 2, .chunk_bytes = kMiB});
  ManyAndOne files(world);
  world.restart(/*power_cut=*/false);
  EXPECT_EQ(world.pending(), 1u);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_LT(done.chunks, 200u);
  world.expect_to_come_back("large", files.large);
}

// A tier is away: what the last one has of them is what a restore gives, before the pass ends.
TEST(SlowUpload, ANewVersionIsRecordedWhenTheLastTierHasIt) {
  World world({.seed = 3, .chunk_bytes = kMiB});
  world.near->faulty.set_down(true);
  ManyAndOne files(world);
  EXPECT_EQ(world.pending(), ManyAndOne::kSmall + 1u);
  for (int i = 0; i < ManyAndOne::kSmall; ++i)
    EXPECT_EQ(world.stat(small_name(i)).content.uploaded_size, ManyAndOne::content(i).size()) << i;
  files.end();
  world.near->faulty.set_down(false);
  world.upload();
  EXPECT_EQ(world.pending(), 0u);
  for (int i = 0; i < ManyAndOne::kSmall; ++i) world.expect_to_come_back(small_name(i), ManyAndOne::content(i));
}

// Writes `bytes` at `offset`, beyond what is there.
io::Task<void> write_far_out(World* world, std::string name, uint64_t offset, std::string bytes) {
  InodeId inode;
  const auto object = co_await world->open(name, &inode);
  CO_REQUIRE(object);
  CO_REQUIRE(co_await (*object)->file().write(offset, std::as_bytes(std::span(bytes))));
  CO_REQUIRE(co_await world->data->settle(*object));
  meta::ContentUpdate update;
  update.size = offset + bytes.size();
  update.content = (co_await world->meta->getattr(inode))->content;
  update.mtime = world->reactor->clock().now();
  CO_REQUIRE(co_await world->meta->update_content(inode, update));
}

// As an image of a disk: what was never written is neither read nor waited for.
TEST(SlowUpload, HolesTakeNoTime) {
  constexpr uint64_t kChunks = 1000;
  World world({.seed = 4, .chunks_per_turn = 2 * kChunks});
  const uint64_t chunk_bytes = world.options.chunk_bytes;
  const auto upload = [&world, chunk_bytes] {
    Beside beside{world, 0, chunk_bytes, SeededRandom(1), false, {}};  // a chunk each second
    const int64_t began_ns = world.reactor->clock().monotonic_ns();
    world.run(upload_slowly(&beside));
    EXPECT_LT(world.reactor->clock().monotonic_ns() - began_ns, 10 * kSecond);
    EXPECT_EQ(world.pending(), 0u);
    return *beside.uploaded;
  };
  std::string content = noise(chunk_bytes + 10, 1);
  world.write("f", content);
  const std::string end = noise(100, 2);
  world.run(write_far_out(&world, "f", kChunks * chunk_bytes - 50, end));
  EXPECT_EQ(upload().chunks, kChunks + 1);
  content.resize(kChunks * chunk_bytes - 50);
  content += end;
  const std::string middle = noise(2 * chunk_bytes, 3);
  world.run(write_far_out(&world, "f", (kChunks + 500) * chunk_bytes, middle));
  const UploadSummary done = upload();
  EXPECT_EQ(done.unchanged, kChunks);  // the last one has become longer
  EXPECT_EQ(done.chunks, 502u);
  content.resize((kChunks + 500) * chunk_bytes);
  world.expect_to_come_back("f", content + middle);
}

}  // namespace
}  // namespace firn::tier
