// Frames that several chunks refer to: what the collector, the repacker and the scrubber make of them.
#include "tier/test_dedup.h"

namespace firn::tier {
namespace {

using namespace testing;  // NOLINT: a fixture and what goes with it
using object::testing::noise;

class SharedFrames : public DedupTest {};
INSTANTIATE_TEST_SUITE_P(Blobs, SharedFrames, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "sealed" : "plain"; });

TEST_P(SharedFrames, TheFirstOfTheFilesMayGo) {
  world.write("f", content);
  world.write("g", content);
  world.upload();
  world.remove("f");
  EXPECT_EQ(collect(world).removed, 0u);
  EXPECT_EQ(collect(world).wrong_counters, 0u);
  expect_all_to_come_back({"g"});
  world.write("h", content);
  EXPECT_EQ(world.upload().chunks, 0u);
  world.remove("g");
  collect(world);
  expect_all_to_come_back({"h"});
  world.remove("h");
  EXPECT_EQ(contents_on_record(world), kChunks);
  EXPECT_EQ(collect(world).removed, 1u);
  EXPECT_TRUE(world.objects().empty());
  EXPECT_EQ(contents_on_record(world), 0u);
}

// What is in a live blob may be needed again although no chunk refers to it just then.
TEST_P(SharedFrames, AFrameThatNobodyNeedsComesBackToLife) {
  world.write("f", content);
  world.write("rest", noise(kChunkBytes, 4));
  world.upload();
  world.remove("f");
  world.write("g", content);
  EXPECT_EQ(world.upload().chunks, 0u);
  collect(world);
  expect_all_to_come_back({"g"});
}

TEST_P(SharedFrames, RepackingKeepsWhatIsShared) {
  for (int i = 0; i < 20; ++i)
    world.write("rest" + std::to_string(i), noise(kChunkBytes, 100 + static_cast<uint64_t>(i)));
  for (const char* name : {"f", "g", "h"}) world.write(name, content);
  world.upload();
  const std::string before = world.chunks("f")[0].blob;
  for (int i = 0; i < 20; ++i) world.remove("rest" + std::to_string(i));
  world.remove("f");  // which the frames were made for
  const CollectSummary moved = collect(world);
  EXPECT_EQ(moved.repacked, 1u);
  EXPECT_EQ(moved.failed, 0u) << moved.first_failure.to_string();
  EXPECT_EQ(moved.moved_chunks, 2 * kChunks);
  EXPECT_LT(moved.moved_bytes, content.size() * 11 / 10);
  EXPECT_NE(world.chunks("g")[0].blob, before);
  for (uint64_t i = 0; i < kChunks; ++i) EXPECT_EQ(world.chunks("g")[i].offset, world.chunks("h")[i].offset);
  collect(world);
  EXPECT_EQ(world.objects().size(), 1u);
  EXPECT_LT(stored_bytes(world), content.size() * 11 / 10);
  // The index has followed.
  world.write("i", content);
  EXPECT_EQ(world.upload().chunks, 0u);
  EXPECT_EQ(contents_on_record(world), kChunks);
  EXPECT_EQ(collect(world).wrong_counters, 0u);
  expect_all_to_come_back({"g", "h", "i"});
}

// A frame counts once, however many chunks refer to it.
TEST_P(SharedFrames, ManyCopiesOfLittleDoNotMakeABlobLive) {
  const std::string little = noise(kChunkBytes, 7);
  for (int i = 0; i < 40; ++i) world.write("copy" + std::to_string(i), little);
  world.write("rest", noise(10 * kChunkBytes, 8));
  EXPECT_EQ(world.upload().blobs, 1u);
  world.remove("rest");
  const CollectSummary moved = collect(world);
  EXPECT_EQ(moved.repacked, 1u);
  EXPECT_EQ(moved.moved_chunks, 40u);
  collect(world);
  EXPECT_LT(stored_bytes(world), 2 * kChunkBytes);
  // And where all of it is shared, nothing is certain without a look, which must not move anything.
  world.remove("copy0");
  EXPECT_EQ(collect(world).repacked, 0u);
  expect_sound(world);
  world.expect_to_come_back("copy7", little);
}

TEST_P(SharedFrames, WhatNoTierHasWholeIsNotReliedOn) {
  world.write("f", content);
  world.write("rest", noise(kChunkBytes, 4));
  world.upload();
  const uint64_t at = testing::in_last_block(world.chunks("f")[1]);
  world.remove("f");
  for (auto* place : {world.near.get(), world.far.get()}) world.flip(*place, *world.objects().begin(), at);
  EXPECT_FALSE(scrub(world).clean());
  world.write("g", content);
  EXPECT_EQ(world.upload().chunks, kChunks);
  collect(world);
  collect(world);
  expect_all_to_come_back({"g"});
}

// Chunks of files that share frames, of a blob that no tier has whole: each frame moves once.
TEST_P(SharedFrames, ARescueKeepsWhatIsShared) {
  for (const char* name : {"f", "g"}) world.write(name, content);
  world.write("rest", noise(kChunkBytes, 4));
  world.upload();
  const uint64_t at = testing::in_last_block(world.chunks("rest")[0]);
  for (auto* place : {world.near.get(), world.far.get()}) world.flip(*place, *world.objects().begin(), at);
  const ScrubReport report = scrub(world);
  EXPECT_EQ(report.rescued_chunks, 2 * kChunks);
  EXPECT_EQ(report.requeued_chunks, 1u);
  EXPECT_EQ(world.chunks("f")[3].offset, world.chunks("g")[3].offset);
  EXPECT_EQ(world.upload().chunks, 1u);
  collect(world);
  EXPECT_LT(stored_bytes(world), (content.size() + kChunkBytes) * 11 / 10);
  expect_all_to_come_back({"f", "g"});
}

}  // namespace
}  // namespace firn::tier
