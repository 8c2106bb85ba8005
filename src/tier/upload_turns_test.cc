// Files that take several turns to upload: others go between these. On simulated time.
#include <gtest/gtest.h>

#include <algorithm>

#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;
constexpr uint64_t kTurn = 10;  // chunks

std::string large(uint64_t seed, uint64_t chunks = 35) { return noise(chunks * kChunkBytes - 7, seed); }

testing::WorldOptions options(uint64_t seed) {
  return {.seed = seed, .chunk_bytes = kChunkBytes, .chunks_per_turn = kTurn};
}

bool is_uploaded(World& world, const char* name) {
  const meta::Content content = world.stat(name).content;
  return content.uploaded_generation == content.generation;
}

bool holds_a_blob(World& world) {
  return std::ranges::any_of(world.blobs(),
                             [&](const meta::Blob& blob) { return world.uploader->under_way().contains(blob.name); });
}

// The last of them.
UploadSummary upload_all(World& world, int passes) {
  for (int pass = 1; pass < passes; ++pass) {
    const UploadSummary done = world.upload();
    EXPECT_TRUE(done.again) << pass;
    EXPECT_EQ(done.unfinished, 1u) << pass;
    EXPECT_EQ(done.failed + done.postponed, 0u) << pass;
    EXPECT_EQ(done.chunks, kTurn) << pass;
  }
  return world.upload();
}

TEST(UploadTurns, WhatIsWrittenAfterALargeFileNeedNotWaitForItsEnd) {
  World world(options(1));
  world.write("large", large(1));
  const UploadSummary first = world.upload();
  EXPECT_EQ(first.chunks, kTurn);
  EXPECT_EQ(first.files, 0u);
  EXPECT_TRUE(first.again);
  world.pass_time(1'000'000'000);
  world.write("small", noise(5000, 2));
  EXPECT_EQ(world.upload().files, 1u);
  EXPECT_TRUE(is_uploaded(world, "small"));
  EXPECT_FALSE(is_uploaded(world, "large"));
  EXPECT_TRUE(world.upload().again);
  const UploadSummary last = world.upload();
  EXPECT_EQ(last.chunks, 5u);
  EXPECT_EQ(last.files, 1u);
  EXPECT_FALSE(last.again);
  EXPECT_EQ(world.pending(), 0u);
  world.expect_to_come_back("large", large(1));
}

// Its chunks are recorded together, at the end.
TEST(UploadTurns, AVersionReplacesAnotherAfterItsLastTurn) {
  World world(options(2));
  world.write("f", large(1, 12));
  (void)upload_all(world, 2);
  const std::vector<meta::Chunk> former = world.chunks("f");
  world.write("f", large(2));
  for (int pass = 0; pass < 3; ++pass) {
    EXPECT_TRUE(world.upload().again);
    EXPECT_TRUE(world.chunks("f") == former);
    EXPECT_EQ(world.stat("f").content.uploaded_size, 12 * kChunkBytes - 7);
  }
  EXPECT_EQ(world.upload().files, 1u);
  world.expect_to_come_back("f", large(2));
}

TEST(UploadTurns, WhatChangesBetweenTwoOfThemIsBegunAnew) {
  for (const bool replaces : {false, true}) {
    World world(options(3));
    if (replaces) {
      world.write("f", large(0));
      EXPECT_EQ(upload_all(world, 4).files, 1u);
    }
    world.write("f", large(1));
    world.upload();
    world.upload();
    world.write("f", large(2));
    EXPECT_EQ(upload_all(world, 4).files, 1u);
    EXPECT_EQ(world.pending(), 0u);
    world.expect_to_come_back("f", large(2));
  }
}

// What changes between turns again and again is taken as it is, but not for what it is not.
TEST(UploadTurns, WhatNeverRestsIsTakenInTurnsToo) {
  World world(options(4));
  world.write("f", large(1));
  uint64_t version = 1;
  for (int pass = 0; pass < 12 && !world.stat("f").content.uploaded_size; ++pass) {
    world.upload();
    world.write("f", large(++version));
  }
  EXPECT_TRUE(world.stat("f").content.uploaded_size);
  EXPECT_EQ(world.pending(), 1u);
  for (int pass = 0; pass < 8 && world.pending() > 0; ++pass) world.upload();
  world.expect_to_come_back("f", large(version));
}

TEST(UploadTurns, AnotherProcessGoesOnWithWhatIsRecorded) {
  World world(options(5));
  world.write("f", large(1));
  world.sync();
  world.upload();
  world.upload();
  world.sync();
  world.restart(/*power_cut=*/true);
  uint64_t chunks = 0;
  for (int pass = 0; pass < 4; ++pass) chunks += world.upload().chunks;
  EXPECT_EQ(chunks, 15u);
  EXPECT_EQ(world.pending(), 0u);
  world.expect_to_come_back("f", large(1));
}

TEST(UploadTurns, AfterAFailureItGoesOnWhereTheTurnBegan) {
  for (const bool replaces : {false, true}) {
    World world(options(6));
    if (replaces) {
      world.write("f", large(0));
      (void)upload_all(world, 4);
    }
    world.write("f", large(1));
    world.upload();
    world.near->faulty.set_down(true);
    world.far->faulty.set_down(true);
    const UploadSummary failed = world.upload();
    EXPECT_EQ(failed.failed, 1u);
    EXPECT_FALSE(failed.again);
    EXPECT_FALSE(failed.first_failure.ok());
    world.near->faulty.set_down(false);
    world.far->faulty.set_down(false);
    const UploadSummary done = upload_all(world, 3);
    EXPECT_EQ(done.files, 1u);
    EXPECT_EQ(done.chunks + done.unchanged, 5u);
    world.expect_to_come_back("f", large(1));
  }
}

TEST(UploadTurns, ATierThatIsAwayDoesNotEndThem) {
  World world(options(7));
  world.write("f", large(1));
  world.near->faulty.set_down(true);
  for (int pass = 0; pass < 3; ++pass) EXPECT_TRUE(world.upload().again);
  const UploadSummary last = world.upload();
  EXPECT_EQ(last.failed, 1u);
  EXPECT_FALSE(last.again);
  EXPECT_EQ(last.first_failure, Code::kUnavailable);
  EXPECT_EQ(world.stat("f").content.uploaded_size, large(1).size());  // the last tier has it
  EXPECT_EQ(world.pending(), 1u);
  world.near->faulty.set_down(false);
  uint64_t chunks = 0;
  for (int pass = 0; pass < 4; ++pass) chunks += world.upload().chunks;
  EXPECT_EQ(chunks, 0u);  // they are copied
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
}

// Of those that are not to be uploaded any more nothing is kept.
TEST(UploadTurns, WhatGoesBetweenTwoOfThemLeavesNothingBehind) {
  World world(options(8));
  world.write("f", large(0));
  (void)upload_all(world, 4);
  world.write("f", large(1));
  world.upload();
  EXPECT_TRUE(holds_a_blob(world));
  world.remove("f");
  world.upload();
  EXPECT_FALSE(holds_a_blob(world));
  EXPECT_EQ(world.pending(), 0u);
}

TEST(UploadTurns, ManyLargeFilesAllEnd) {
  World world(options(9));
  const auto name_of = [](uint64_t i) { return "f" + std::to_string(i); };
  for (uint64_t i = 0; i < 100; ++i) world.write(name_of(i), large(i, 25));
  UploadSummary done;
  uint64_t files = 0;
  int passes = 0;
  do {
    done = world.upload();
    files += done.files;
    ++passes;
  } while (done.again && passes < 10);
  EXPECT_EQ(files, 100u);
  EXPECT_EQ(passes, 3);
  for (const uint64_t i : {0UL, 63UL, 64UL, 99UL}) world.expect_to_come_back(name_of(i), large(i, 25));
}

// What was sent of them is in memory.
TEST(UploadTurns, FewVersionsAreReplacedAtOnce) {
  World world(options(10));
  const auto name_of = [](uint64_t i) { return "f" + std::to_string(i); };
  for (uint64_t i = 0; i < 10; ++i) world.write(name_of(i), large(i, 5));
  EXPECT_EQ(world.upload().files, 10u);
  for (uint64_t i = 0; i < 10; ++i) world.write(name_of(i), large(10 + i, 25));
  const UploadSummary first = world.upload();
  EXPECT_EQ(first.unfinished, 4u);
  EXPECT_EQ(first.files, 6u);
  EXPECT_TRUE(world.upload().again);
  EXPECT_EQ(world.upload().files, 4u);
  for (const uint64_t i : {0UL, 9UL}) world.expect_to_come_back(name_of(i), large(10 + i, 25));
}

}  // namespace
}  // namespace firn::tier
