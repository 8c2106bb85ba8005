// The scrubber: every damage is found, and mended from wherever the bytes still are; what is nowhere is reported.
#include "tier/scrubber.h"

#include "base/testing/seeds.h"
#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"
#include "tier/verify_all.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::make_scrubber;
using testing::Place;
using testing::scrub_cold;
using testing::scrub_hot;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;

// Nobody opens files here: every file is at rest.
VerifyReport verify(World& world) {
  return world.run(verify_all(*world.meta, world.tiers(), *world.pool, {.key = world.options.key}, nullptr)).value();
}

struct Scrub : public ::testing::TestWithParam<bool> {
  Scrub() : world({.seed = 1, .key = GetParam() ? std::optional(Key{std::byte{3}}) : std::nullopt}) {
    world.write("f", content);
    world.upload();
    key = *world.objects().begin();
  }
  uint64_t bytes() { return world.near->mem->sizes().at(key); }
  uint64_t in_frame(uint64_t index) { return testing::in_last_block(world.chunks("f")[index]); }

  World world;
  const std::string content = noise(6 * kChunkBytes + 100, 1);
  std::string key;
};
INSTANTIATE_TEST_SUITE_P(Blobs, Scrub, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "sealed" : "plain"; });

TEST_P(Scrub, FindsNothingWrongWithWhatIsRight) {
  const ScrubReport report = scrub_cold(world);
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_EQ(report.objects, 2u);
  EXPECT_EQ(report.frames, 14u);
  EXPECT_GE(report.bytes, 2 * bytes());
  EXPECT_TRUE(report.findings.empty());
  EXPECT_TRUE(verify(world).problems.empty());
  EXPECT_EQ(verify(world).chunks, 7u);
}

// Header, frame headers, frames, index, footer: whatever bit is another.
TEST_P(Scrub, FindsAndMendsAnyFlippedBit) {
  for (uint64_t at = 0; at < bytes(); at += 997) {
    SCOPED_TRACE("at " + std::to_string(at));
    Place& place = at % 2 == 0 ? *world.near : *world.far;
    world.flip(place, key, at);
    EXPECT_FALSE(verify(world).problems.empty());
    const ScrubReport report = scrub_cold(world);
    EXPECT_EQ(report.damaged, 1u);
    EXPECT_EQ(report.repaired, 1u);
    ASSERT_FALSE(report.findings.empty());
    EXPECT_EQ(report.findings[0].tier, at % 2 == 0 ? "near" : "far");
    EXPECT_TRUE(report.findings[0].repaired);
    EXPECT_TRUE(scrub_cold(world).clean());
    EXPECT_TRUE(verify(world).problems.empty());
  }
  world.far->faulty.set_down(true);
  world.expect_to_come_back("f", content);
}

TEST_P(Scrub, NamesTheChunk) {
  world.flip(*world.near, key, in_frame(3));
  const ScrubReport report = scrub_cold(world, {.repair = false});
  EXPECT_EQ(report.damaged, 1u);
  EXPECT_EQ(report.repaired, 0u);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].inode, world.stat("f").inode);
  EXPECT_EQ(report.findings[0].chunk, ChunkIndex(3));
  EXPECT_FALSE(report.findings[0].repaired);
  ASSERT_EQ(verify(world).problems.size(), 1u);
  EXPECT_EQ(verify(world).problems[0].chunk, ChunkIndex(3));
}

TEST_P(Scrub, PutsBackWhatATierHasLost) {
  ASSERT_TRUE(world.run(world.near->mem->remove(key, {})));
  EXPECT_EQ(scrub_cold(world).repaired, 1u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  ASSERT_TRUE(world.far->mem->overwrite(key, "rubbish"));
  EXPECT_EQ(scrub_cold(world).repaired, 1u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
}

TEST_P(Scrub, RepairsOneBlobOnRequest) {
  Scrubber scrubber = make_scrubber(world);
  const std::string name = world.chunks("f")[0].blob;
  ASSERT_TRUE(world.run(scrubber.repair_blob(name, "near", nullptr)));  // nothing to do
  world.flip(*world.near, key, in_frame(1));
  EXPECT_EQ(world.run(scrubber.repair_blob(name, "elsewhere", nullptr)).error(), Code::kNotFound);
  ASSERT_TRUE(world.run(scrubber.repair_blob(name, "near", nullptr)));
  EXPECT_TRUE(verify(world).problems.empty());
  world.flip(*world.near, key, in_frame(1));
  world.flip(*world.far, key, in_frame(2));
  EXPECT_EQ(world.run(scrubber.repair_blob(name, "near", nullptr)).error(), Code::kCorrupt);
}

TEST_P(Scrub, RemembersWhichCopiesItFoundDamaged) {
  Scrubber scrubber = make_scrubber(world);
  const std::string name = world.chunks("f")[0].blob;
  const auto unsound = [&] { return world.run(world.meta->get_blob(name))->unsound; };
  // Found, and not repaired.
  world.flip(*world.far, key, in_frame(1));
  EXPECT_EQ(scrub_cold(world, {.repair = false}).damaged, 1u);
  EXPECT_EQ(unsound(), 2u);
  // Found sound again, by whoever repaired it.
  world.flip(*world.far, key, in_frame(1));
  EXPECT_TRUE(scrub_cold(world).clean());
  EXPECT_EQ(unsound(), 0u);
  // Gone is as bad. What is put there in its place is not kept, until it is.
  ASSERT_TRUE(world.run(world.near->mem->remove(key, {})));
  world.near->faulty.set_faults({.forgotten = 1});
  EXPECT_EQ(world.run(scrubber.repair_blob(name, "near", nullptr)).error(), Code::kIo);
  EXPECT_EQ(unsound(), 1u);
  world.near->faulty.set_faults({});
  ASSERT_TRUE(world.run(scrubber.repair_blob(name, "near", nullptr)));
  EXPECT_EQ(unsound(), 0u);
  // That a tier does not answer says nothing.
  world.near->faulty.set_down(true);
  EXPECT_FALSE(world.run(scrubber.repair_blob(name, "near", nullptr)));
  EXPECT_EQ(scrub_cold(world).unanswered, 1u);
  EXPECT_EQ(unsound(), 0u);
}

TEST_P(Scrub, RescuesFrameByFrameWhatNoTierHasWhole) {
  ASSERT_TRUE(world.evict("f"));
  world.flip(*world.near, key, in_frame(1));
  world.flip(*world.far, key, in_frame(2));
  const ScrubReport report = scrub_cold(world);
  EXPECT_EQ(report.damaged, 2u);
  EXPECT_EQ(report.rescued_chunks, 7u);
  EXPECT_EQ(report.lost_chunks, 0u);
  for (const ScrubFinding& finding : report.findings) EXPECT_TRUE(finding.repaired);
  EXPECT_NE(key_of(blob_id_of_name(world.chunks("f")[0].blob)), key);
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
}

TEST_P(Scrub, UploadsAgainWhatOnlyTheLocalDiskHas) {
  for (Place* place : {world.near.get(), world.far.get()}) world.flip(*place, key, in_frame(4));
  const ScrubReport report = scrub_cold(world);
  EXPECT_EQ(report.requeued_chunks, 1u);
  EXPECT_EQ(report.rescued_chunks, 6u);
  EXPECT_EQ(report.lost_chunks, 0u);
  EXPECT_EQ(world.pending(), 1u);
  const UploadSummary sent = world.upload();
  EXPECT_EQ(sent.chunks, 1u);
  EXPECT_EQ(sent.files, 1u);
  world.expect_to_come_back("f", content);
}

TEST_P(Scrub, ReportsWhatIsNowhere) {
  ASSERT_TRUE(world.evict("f"));
  for (Place* place : {world.near.get(), world.far.get()}) world.flip(*place, key, in_frame(4));
  const ScrubReport report = scrub_cold(world);
  EXPECT_EQ(report.lost_chunks, 1u);
  EXPECT_EQ(report.rescued_chunks, 6u);
  const auto lost = std::ranges::find_if(report.findings, [](const ScrubFinding& one) { return one.tier.empty(); });
  ASSERT_NE(lost, report.findings.end());
  EXPECT_EQ(lost->inode, world.stat("f").inode);
  EXPECT_EQ(lost->chunk, ChunkIndex(4));
  EXPECT_FALSE(lost->repaired);
  EXPECT_EQ(scrub_cold(world).lost_chunks, 1u);  // it does not go away by itself
}

io::Task<void> read_cold(World* world, std::string name, Extent range) {
  InodeId inode;
  const data::ObjectRef object = (co_await world->open(name, &inode)).value();
  const uint64_t bytes = (co_await world->meta->getattr(inode))->size;
  ColdFile cold(*world->hydrator, inode, bytes, object, {.chunk_bytes = kChunkBytes, .block_bytes = 1024});
  std::string buffer(range.bytes, '?');
  EXPECT_EQ(co_await cold.read(range.offset, std::as_writable_bytes(std::span(buffer))), range.bytes);
  co_await cold.close();
}

// A block that came back is no chunk: nothing says what it should be.
TEST_P(Scrub, RescuesWhatHasComeBackAlsoAfterARestart) {
  ASSERT_TRUE(world.evict("f"));
  world.run(read_cold(&world, "f", {.offset = 4 * kChunkBytes, .bytes = kChunkBytes}));
  world.run(read_cold(&world, "f", {.offset = 1 * kChunkBytes, .bytes = 10}));
  world.restart(/*power_cut=*/false);
  for (Place* place : {world.near.get(), world.far.get()}) {
    world.flip(*place, key, in_frame(1));
    world.flip(*place, key, in_frame(4));
  }
  const ScrubReport report = scrub_cold(world);
  EXPECT_EQ(report.rescued_chunks, 6u);
  EXPECT_EQ(report.lost_chunks, 1u);
  world.rot_backing("f", 4 * kChunkBytes + 9);
  for (Place* place : {world.near.get(), world.far.get()})
    world.flip(*place, key_of(blob_id_of_name(world.chunks("f")[4].blob)), in_frame(4));
  EXPECT_EQ(scrub_cold(world).lost_chunks, 2u) << "what is damaged here, too, is not made the truth";
}

TEST_P(Scrub, DamageOfTheDiskAsWellIsNotMadeTheTruth) {
  for (Place* place : {world.near.get(), world.far.get()}) world.flip(*place, key, in_frame(4));
  world.rot_backing("f", 4 * kChunkBytes + 7);
  const ScrubReport report = scrub_cold(world);
  EXPECT_EQ(report.requeued_chunks, 0u);
  EXPECT_EQ(report.lost_chunks, 1u);
  EXPECT_EQ(world.pending(), 0u);
}

TEST_P(Scrub, ATierThatDoesNotAnswerIsNotDamage) {
  world.flip(*world.near, key, in_frame(0));
  world.far->faulty.set_down(true);
  const ScrubReport report = scrub_cold(world);
  EXPECT_EQ(report.damaged, 1u);
  EXPECT_EQ(report.unanswered, 1u);
  EXPECT_EQ(report.repaired, 0u);
  EXPECT_EQ(report.requeued_chunks, 0u);  // the other tier may have it
  world.far->faulty.set_down(false);
  EXPECT_EQ(scrub_cold(world).repaired, 1u);
}

TEST_P(Scrub, MendsTheLocalDisk) {
  EXPECT_EQ(scrub_hot(world).chunks, 7u);
  world.rot_backing("f", 2 * kChunkBytes + 1);
  world.rot_backing("f", 6 * kChunkBytes + 50);
  const ScrubReport seen = scrub_hot(world, {.repair = false});
  EXPECT_EQ(seen.damaged, 2u);
  EXPECT_EQ(seen.repaired, 0u);
  EXPECT_FALSE(world.read("f") == content);
  const ScrubReport report = scrub_hot(world);
  EXPECT_EQ(report.repaired, 2u);
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].inode, world.stat("f").inode);
  EXPECT_EQ(report.findings[0].chunk, ChunkIndex(2));
  EXPECT_TRUE(report.findings[0].tier.empty());
  EXPECT_TRUE(world.read("f") == content);
  EXPECT_TRUE(scrub_hot(world).clean());
  EXPECT_EQ(world.pending(), 0u);
}

// More than one range, and an index that the first look at the blob's end does not reach.
TEST(Scrubber, ReadsLargeBlobsInRanges) {
  World world({.seed = 6, .chunk_bytes = 1 << 20});
  world.write("large", noise((11 << 20) + 5, 1));
  world.write("huge frames", noise(6 << 20, 2));
  for (int i = 0; i < 1500; ++i) world.write("f" + std::to_string(i), noise(100, static_cast<uint64_t>(i)));
  EXPECT_EQ(world.upload().blobs, 1u);
  EXPECT_TRUE(scrub_cold(world).clean());
  EXPECT_EQ(verify(world).chunks, 12u + 6u + 1500u);
  const std::string key = *world.objects().begin();
  const uint64_t bytes = world.near->mem->sizes().at(key);
  for (const uint64_t at : {uint64_t{5 << 20}, bytes - 100'000, bytes - 200'000, bytes - 60}) {
    SCOPED_TRACE("at " + std::to_string(at));
    world.flip(*world.near, key, at);
    EXPECT_EQ(verify(world).problems.size(), 1u);
    EXPECT_EQ(scrub_cold(world).repaired, 1u);
    EXPECT_TRUE(verify(world).problems.empty());
  }
}

TEST(Scrubber, LooksOnlyAtFilesThatTiersHaveAsTheyAre) {
  World world({.seed = 2});
  world.write("changed", noise(kChunkBytes, 1));
  world.write("evicted", noise(kChunkBytes, 2));
  world.write("resident", noise(40 * kChunkBytes, 3));
  world.upload();
  world.write("changed", noise(kChunkBytes, 4));
  ASSERT_TRUE(world.evict("evicted"));
  const ScrubReport report = scrub_hot(world);
  EXPECT_EQ(report.files, 1u);
  EXPECT_EQ(report.chunks, 40u);
  EXPECT_TRUE(report.clean());
}

TEST(Scrubber, KeepsToItsRateAndGoesOnWhereItStopped) {
  World world({.seed = 3});
  for (int i = 0; i < 20; ++i) {
    world.write("f" + std::to_string(i), noise(20 * kChunkBytes, static_cast<uint64_t>(i)));
    world.upload();
  }
  ScrubOptions options{.bytes_per_s = 200'000};
  io::CancelToken token;
  options.progress = [&token](std::string_view, uint64_t bytes) {
    if (bytes > 1'000'000) token.cancel();
  };
  Scrubber scrubber = make_scrubber(world, options);
  std::string cursor;
  const int64_t begin = world.reactor->clock().monotonic_ns();
  EXPECT_EQ(world.run(scrubber.scrub_cold(&cursor, &token)).error(), Code::kInterrupted);
  const double seconds = static_cast<double>(world.reactor->clock().monotonic_ns() - begin) / 1e9;
  EXPECT_GT(seconds, 4);
  EXPECT_LT(seconds, 7);
  EXPECT_EQ(cursor.size(), 32u);
  const ScrubReport rest = world.run(scrubber.scrub_cold(&cursor, nullptr)).value();
  EXPECT_TRUE(cursor.empty());
  EXPECT_GT(rest.blobs, 10u);
  EXPECT_LT(rest.blobs, 20u);
  EXPECT_EQ(world.run(scrubber.scrub_cold(&(cursor = "nonsense"), nullptr)).error(), Code::kInvalid);
  EXPECT_EQ(world.run(scrubber.scrub_hot(&(cursor = "nonsense"), nullptr)).error(), Code::kInvalid);
}

TEST(Verify, NoticesRecordsThatDoNotFitTheirFrames) {
  World world({.seed = 4});
  world.write("f", noise(3 * kChunkBytes, 1));
  world.write("g", noise(3 * kChunkBytes, 2));
  world.upload();
  const InodeId inode = world.stat("f").inode;
  const std::vector<meta::Chunk> right = world.chunks("f");
  const auto spoil = [&](size_t index, auto change) {
    meta::Chunk wrong = right[index];
    change(wrong);
    ASSERT_EQ(world.run(world.meta->move_chunks(inode, {{right[index], wrong}})).value(), 1u);
  };
  spoil(0, [](meta::Chunk& chunk) { ++chunk.checksum; });
  spoil(1, [&](meta::Chunk& chunk) { chunk.offset = right[2].offset; });
  spoil(2, [](meta::Chunk& chunk) { chunk.offset += 8; });
  const VerifyReport report = verify(world);
  ASSERT_EQ(report.problems.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(report.problems[i].inode, inode);
    EXPECT_EQ(report.problems[i].chunk, ChunkIndex(i));
  }
  EXPECT_EQ(report.chunks, 6u);
}

TEST(Verify, FailsWhenATierDoesNotAnswer) {
  World world({.seed = 5});
  world.write("f", noise(3 * kChunkBytes, 1));
  world.upload();
  world.far->faulty.set_down(true);
  const auto report = world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message().find("far"), std::string::npos) << report.error().message();
}

// Any damage in one tier at a time, on bad connections: all of it is found and mended.
void damage_and_scrub(uint64_t seed) {
  World world({.seed = seed,
               .faults = {.refused = 0.1, .answer_lost = 0.05, .truncated = 0.05, .max_latency_ns = 100'000'000}});
  SeededRandom choose(seed * 13);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 10; ++i) {
    const std::string name = "f" + std::to_string(i);
    world.write(name, expected[name] = noise(1 + choose.below(5 * kChunkBytes), choose.next()));
    if (i % 3 == 0) world.upload();
  }
  for (int i = 0; i < 5 && world.pending() > 0; ++i) world.upload();
  ASSERT_EQ(world.pending(), 0u);
  uint64_t damaged = 0;
  for (const std::string& key : world.needed_objects()) {
    Place& place = choose.below(2) == 0 ? *world.near : *world.far;
    const uint64_t bytes = place.mem->sizes().at(key);
    const uint64_t what = choose.below(5);
    if (what == 0) continue;
    if (what == 1) ASSERT_TRUE(world.run(place.mem->remove(key, {})));
    if (what == 2) ASSERT_TRUE(place.mem->overwrite(key, noise(choose.below(bytes), seed)));
    if (what >= 3) world.flip(place, key, choose.below(bytes));
    ++damaged;
  }
  for (const auto& [name, content] : expected)
    if (choose.below(3) == 0) {
      world.rot_backing(name, choose.below(content.size()));
      ++damaged;
    }
  const ScrubReport cold = scrub_cold(world), hot = scrub_hot(world);
  EXPECT_EQ(cold.damaged + hot.damaged, damaged);
  EXPECT_EQ(cold.repaired + hot.repaired, damaged);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  EXPECT_TRUE(verify(world).problems.empty());
  for (const auto& [name, content] : expected) {
    EXPECT_TRUE(world.read(name) == content) << name;
    world.expect_to_come_back(name, content);
  }
}

TEST(Scrubber, FindsAndMendsEveryDamage) { firn::testing::for_seeds(150, damage_and_scrub); }

}  // namespace
}  // namespace firn::tier
