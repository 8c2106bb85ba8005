// Uploader and hydrator together: simulated time and disk, an engine in memory, stores that misbehave by a seed.
#include <gtest/gtest.h>

#include <map>

#include "base/testing/seeds.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::Kind;
using object::testing::noise;
using testing::Place;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;

TEST(TierEngine, UploadsEvictsAndRestores) {
  World world({.seed = 1});
  const std::string content = noise(10 * kChunkBytes + 77, 1);
  world.write("f", content);
  EXPECT_EQ(world.evict("f").error(), Code::kBusy);  // nobody else has it yet
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(done.chunks, 11u);
  EXPECT_EQ(done.blobs, 1u);
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(world.near->mem->sizes().size(), 1u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  ASSERT_TRUE(world.evict("f"));
  EXPECT_EQ(world.allocated("f"), 0u);
  EXPECT_EQ(world.read("f"), std::string(content.size(), '\0'));
  EXPECT_TRUE(world.stat("f").content.evicted);
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
  EXPECT_FALSE(world.stat("f").content.evicted);
  EXPECT_EQ(world.far->faulty.requests(Kind::kGet), 0u);  // the nearer one had it
  EXPECT_EQ(world.upload().files, 0u);                    // and nothing has changed by it
}

TEST(TierEngine, PacksManyFilesIntoOneBlob) {
  World world({.seed = 2});
  for (int i = 0; i < 300; ++i) world.write("f" + std::to_string(i), noise(5000, static_cast<uint64_t>(i)));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 300u);
  EXPECT_EQ(done.blobs, 1u);
  EXPECT_EQ(world.near->faulty.requests(Kind::kPut), 1u);
  EXPECT_EQ(world.far->faulty.requests(Kind::kPut), 1u);
}

// Written in any order, by several writers: in blobs, and so read again with few requests, by directory and name.
TEST(TierEngine, PacksByDirectoryAndName) {
  constexpr int kFiles = 400;
  World world({.seed = 12});
  std::vector<int> order(kFiles);
  for (int i = 0; i < kFiles; ++i) order[static_cast<size_t>(i)] = i * 171 % kFiles;
  const auto name_of = [](int i) { return "f" + std::to_string(1000 + i); };
  for (const int i : order) {
    world.write(name_of(i), noise(3000, static_cast<uint64_t>(i)));
    world.uploader->order().note(world.stat(name_of(i)).inode, InodeId(static_cast<uint64_t>(2 + i % 2)), name_of(i));
  }
  EXPECT_EQ(world.upload().blobs, 1u);
  uint64_t last = 0;
  for (const int directory : {0, 1})
    for (int i = directory; i < kFiles; i += 2) {
      const uint64_t offset = world.chunks(name_of(i))[0].offset;
      EXPECT_TRUE(offset > last || i == directory) << i;
      last = offset;
    }
  for (int i = 0; i < kFiles; ++i) ASSERT_TRUE(world.evict(name_of(i)));
  const uint64_t before = world.near->faulty.requests(Kind::kGet);
  for (const int directory : {0, 1})
    for (int i = directory; i < kFiles; i += 2) {
      ASSERT_TRUE(world.restore(name_of(i)));
      EXPECT_TRUE(world.read(name_of(i)) == noise(3000, static_cast<uint64_t>(i)));
    }
  EXPECT_LE(world.near->faulty.requests(Kind::kGet) - before, 10u);
}

// A range that came damaged says nothing yet: the frame itself is asked for, and then the next tier.
TEST(TierEngine, DamagedNeighboursComeFromTheNextTier) {
  World world({.seed = 13});
  const auto name_of = [](int i) { return "f" + std::to_string(100 + i); };
  for (int i = 0; i < 50; ++i) world.write(name_of(i), noise(3000, static_cast<uint64_t>(i)));
  world.upload();
  const std::string key = *world.objects().begin();
  for (const int i : {10, 20, 30}) world.flip(*world.near, key, world.chunks(name_of(i))[0].offset + 500);
  for (int i = 0; i < 50; ++i) world.expect_to_come_back(name_of(i), noise(3000, static_cast<uint64_t>(i)));
  EXPECT_EQ(world.damaged["near"], 3);
  EXPECT_LE(world.near->faulty.requests(Kind::kGet), 20u);
  EXPECT_LE(world.far->faulty.requests(Kind::kGet), 3u);
}

TEST(TierEngine, SendsOnlyWhatChanged) {
  World world({.seed = 3});
  std::string content = noise(20 * kChunkBytes, 3);
  world.write("f", content);
  world.upload();
  content[7 * kChunkBytes + 5] ^= 1;
  content += "a little more";
  world.write("f", content);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.chunks, 2u);
  EXPECT_EQ(done.unchanged, 19u);
  world.expect_to_come_back("f", content);
  world.write("f", content.substr(0, 100));  // shorter
  EXPECT_EQ(world.upload().files, 1u);
  world.expect_to_come_back("f", content.substr(0, 100));
}

// As where so many of its chunks changed that a transaction cannot hold them.
TEST(TierEngine, AFileWhoseRecordIsRefusedStopsNoOther) {
  int seen = 0;
  for (uint64_t refused = 1; refused <= 12; ++refused) {
    World world({.seed = 14});
    for (const char* name : {"f", "g"}) world.write(name, noise(50'000, 1));
    EXPECT_EQ(world.upload().files, 2u);
    for (const char* name : {"f", "g"}) world.write(name, noise(50'000, 2));
    uint64_t commits = 0;
    world.commit_fault = [&] { return ++commits == refused ? Code::kInvalid : Code::kOk; };
    const Result<UploadSummary> pass = world.run(world.uploader->pass(nullptr));
    world.commit_fault = nullptr;
    if (pass && pass->failed == 1) {
      ++seen;
      EXPECT_EQ(pass->files, 1u);
      EXPECT_EQ(pass->first_failure.code(), Code::kInvalid);
    }
    if (pass && pass->failed == 1) {
      EXPECT_EQ(world.upload().blobs, 0u);  // nor is it sent again as it is
      for (const char* name : {"f", "g"}) world.write(name, noise(50'000, 2));
    }
    (void)world.upload();
    for (const char* name : {"f", "g"}) {
      ASSERT_TRUE(world.evict(name));
      EXPECT_EQ(world.read(name), std::string(50'000, '\0'));
      ASSERT_TRUE(world.restore(name));
      EXPECT_TRUE(world.read(name) == noise(50'000, 2));
    }
  }
  EXPECT_EQ(seen, 2);
}

TEST(TierEngine, ATierThatIsDownKeepsFilesPending) {
  World world({.seed = 4});
  world.write("f", noise(3 * kChunkBytes, 4));
  world.far->faulty.set_down(true);
  const UploadSummary failed = world.upload();
  EXPECT_EQ(failed.files, 0u);
  EXPECT_EQ(failed.failed, 1u);
  EXPECT_EQ(failed.first_failure, Code::kUnavailable);
  EXPECT_NE(failed.first_failure.message().find("far"), std::string::npos) << failed.first_failure.message();
  EXPECT_EQ(world.pending(), 1u);
  EXPECT_EQ(world.evict("f").error(), Code::kBusy);
  world.far->faulty.set_down(false);
  EXPECT_EQ(world.upload().files, 1u);
  EXPECT_EQ(world.pending(), 0u);
}

TEST(TierEngine, ATierThatWasAwayGetsWhatItMissedFromTheOther) {
  World world({.seed = 41});
  const std::string content = noise(3 * kChunkBytes, 41);
  world.write("f", content);
  world.far->faulty.set_down(true);
  world.upload();
  const uint64_t puts = world.near->faulty.requests(Kind::kPut);
  for (int again = 0; again < 5; ++again) world.upload();
  EXPECT_EQ(world.near->faulty.requests(Kind::kPut), puts);  // nothing is sent twice
  EXPECT_EQ(world.near->faulty.requests(Kind::kGet), 0u);    // nor fetched for a tier that does not answer
  world.far->faulty.set_down(false);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.copied_blobs, 1u);
  EXPECT_EQ(done.chunks, 0u);
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  world.near->faulty.set_down(true);
  world.expect_to_come_back("f", content);
}

TEST(TierEngine, ATierThatIsAwayKeepsNoFileFromTheOther) {
  World world({.seed = 42, .files_per_pass = 8});
  const auto name_of = [](int i) { return "f" + std::to_string(i); };
  for (int i = 0; i < 30; ++i) world.write(name_of(i), noise(5000, static_cast<uint64_t>(i)));
  world.near->faulty.set_down(true);
  for (int pass = 0; pass < 4; ++pass) {
    const UploadSummary done = world.upload();
    EXPECT_EQ(done.more, pass < 3);
    EXPECT_EQ(done.failed, pass < 3 ? 8u : 6u);
    EXPECT_EQ(done.blobs, 1u);
    EXPECT_EQ(done.first_failure, Code::kUnavailable);
  }
  EXPECT_EQ(world.far->mem->sizes().size(), 4u);
  EXPECT_EQ(world.pending(), 30u);
  // To find that out again one file is read, and no more; but what has changed goes to the other tier at once.
  EXPECT_EQ(world.upload().unchanged, 2u);
  world.write(name_of(20), noise(5000, 99));
  uint64_t chunks = 0;
  for (int pass = 0; pass < 3; ++pass) chunks += world.upload().chunks;
  EXPECT_EQ(chunks, 2u);
  EXPECT_EQ(world.far->mem->sizes().size(), 5u);
  world.near->faulty.set_down(false);
  for (int pass = 0; pass < 4; ++pass) world.upload();
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  world.far->faulty.set_down(true);
  for (int i = 0; i < 30; ++i)
    world.expect_to_come_back(name_of(i), noise(5000, i == 20 ? 99 : static_cast<uint64_t>(i)));
}

// What was changed while the nearer tier is away is what a restore from the last one gives; but it stays pending, and
// here. While the last one is away its old version stays.
TEST(TierEngine, TheLastTierHasTheNewVersionOfWhatOthersLack) {
  World world({.seed = 44});
  const std::string old_content = noise(3 * kChunkBytes, 1), content = noise(2 * kChunkBytes + 5, 2);
  const auto in_far = [&] {
    size_t chunks = 0;
    for (const meta::Chunk& chunk : world.chunks("f"))
      for (const meta::Blob& blob : world.blobs())
        if (blob.name == chunk.blob && (blob.tiers & 2) != 0) ++chunks;
    return chunks;
  };
  world.write("f", old_content);
  world.upload();
  world.far->faulty.set_down(true);
  world.write("f", content);
  world.upload();
  EXPECT_EQ(world.stat("f").content.uploaded_size, old_content.size());
  EXPECT_EQ(in_far(), 3u);
  world.far->faulty.set_down(false);
  world.near->faulty.set_down(true);
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(world.upload().failed, 1u);
    EXPECT_EQ(world.stat("f").content.uploaded_size, content.size());
    EXPECT_EQ(world.chunks("f").size(), 3u);
    EXPECT_EQ(in_far(), 3u);
    EXPECT_EQ(world.pending(), 1u);
    EXPECT_EQ(world.evict("f").error(), Code::kBusy);
  }
  world.write("f", content.substr(0, 100));  // shorter, and no chunk to be sent
  world.upload();
  EXPECT_EQ(world.chunks("f").size(), 1u);
  EXPECT_EQ(world.stat("f").content.uploaded_size, 100u);
  world.near->faulty.set_down(false);
  EXPECT_EQ(world.upload().files, 1u);
  EXPECT_EQ(world.pending(), 0u);
  world.expect_to_come_back("f", content.substr(0, 100));
}

// One that is made, or changed, meanwhile has its turn in the same round.
TEST(TierEngine, WhatHasWaitedLongestGoesFirst) {
  World world({.seed = 43, .files_per_pass = 1});
  for (const char* name : {"a", "b", "c"}) world.write(name, noise(5000, 1));
  for (int i = 0; i < 3; ++i) world.upload();
  ASSERT_EQ(world.pending(), 0u);
  for (const char* name : {"c", "a", "b"}) {
    world.pass_time(1'000'000'000);
    world.write(name, noise(5000, 2));
  }
  const auto is_uploaded = [&](const char* name) {
    const meta::Content content = world.stat(name).content;
    return content.uploaded_generation == content.generation;
  };
  EXPECT_TRUE(world.upload().more);
  EXPECT_TRUE(is_uploaded("c"));
  EXPECT_TRUE(world.upload().more);
  EXPECT_TRUE(is_uploaded("a"));
  world.pass_time(1'000'000'000);
  world.write("a", noise(5000, 3));
  EXPECT_TRUE(world.upload().more);
  EXPECT_TRUE(is_uploaded("b"));
  EXPECT_FALSE(world.upload().more);
  EXPECT_TRUE(is_uploaded("a"));
}

TEST(TierEngine, DamageInOneTierIsReadFromTheNext) {
  World world({.seed = 5});
  const std::string content = noise(6 * kChunkBytes, 5);
  world.write("f", content);
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  const std::string key = world.near->mem->sizes().begin()->first;
  const uint64_t bytes = world.near->mem->sizes().begin()->second;
  world.near->mem->overwrite(key, noise(bytes, 99));
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
  EXPECT_EQ(world.damaged["near"], 6);
  EXPECT_EQ(world.damaged["far"], 0);
}

TEST(TierEngine, DamageEverywhereIsReportedAndNothingIsMadeUp) {
  World world({.seed = 6});
  world.write("f", noise(3 * kChunkBytes, 6));
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  for (Place* place : {world.near.get(), world.far.get()})
    place->mem->overwrite(place->mem->sizes().begin()->first, "rubbish");
  const auto restored = world.restore("f");
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error(), Code::kCorrupt);
  EXPECT_TRUE(world.stat("f").content.evicted);
}

TEST(TierEngine, ATierThatDoesNotAnswerIsNotDamage) {
  World world({.seed = 7});
  const std::string content = noise(3 * kChunkBytes, 7);
  world.write("f", content);
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  world.near->faulty.set_down(true);
  world.far->faulty.set_down(true);
  const auto restored = world.restore("f");
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error(), Code::kUnavailable);
  EXPECT_TRUE(world.damaged.empty());
  world.far->faulty.set_down(false);
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
}

TEST(TierEngine, SealedBlobsShowNothing) {
  Key key{};
  key[3] = std::byte{7};
  World world({.seed = 8, .key = key});
  const std::string content = "very secret " + std::string(kChunkBytes, 's');
  world.write("f", content);
  world.upload();
  world.expect_to_come_back("f", content);
}

TEST(TierEngine, AStoreThatOnlySaysSoHasNothing) {
  World world({.seed = 9});
  const std::string content = noise(3 * kChunkBytes, 9);
  world.write("f", content);
  world.far->faulty.set_faults({.forgotten = 1});
  const UploadSummary failed = world.upload();
  EXPECT_EQ(failed.files, 0u);
  EXPECT_NE(failed.first_failure.message().find("far: it answered"), std::string::npos)
      << failed.first_failure.message();
  EXPECT_EQ(world.evict("f").error(), Code::kBusy);
  world.far->faulty.set_faults({});
  EXPECT_EQ(world.upload().files, 1u);
  world.near->faulty.set_down(true);
  world.expect_to_come_back("f", content);
}

// Whatever the stores do: nothing is lost, nothing comes back different, and in the end all is uploaded.
void live_through(uint64_t seed) {
  World world({.seed = seed,
               .faults = {.refused = 0.15,
                          .answer_lost = 0.1,
                          .forgotten = 0.1,
                          .corrupted = 0.05,
                          .truncated = 0.1,
                          .max_latency_ns = 2'000'000'000},
               .chunks_per_turn = seed % 2 == 0 ? 2 : UploadOptions().chunks_per_turn});
  SeededRandom choose(seed * 31);
  std::map<std::string, std::string> expected;
  for (int step = 0; step < 40; ++step) {
    const std::string name = "f" + std::to_string(choose.below(6));
    const uint64_t what = choose.below(10);
    if (what < 4) {
      if (expected.contains(name) && world.stat(name).content.evicted) ASSERT_TRUE(world.restore(name));
      expected[name] = noise(choose.below(6 * kChunkBytes), choose.next());
      world.write(name, expected[name]);
    } else if (what < 6) {
      Place& away = choose.below(2) == 0 ? *world.near : *world.far;
      away.faulty.set_down(choose.below(3) == 0);
      world.upload();
      away.faulty.set_down(false);
    } else if (expected.contains(name) && what < 8) {
      (void)world.evict(name);  // refused where it must be
    } else if (expected.contains(name) && world.stat(name).content.evicted) {
      const auto restored = world.restore(name);
      ASSERT_TRUE(restored) << restored.error().to_string();
      ASSERT_TRUE(world.read(name) == expected[name]);
    }
  }
  for (int attempt = 0; attempt < 30 && world.pending() > 0; ++attempt) world.upload();
  EXPECT_EQ(world.pending(), 0u);
  for (const auto& [name, content] : expected) {
    if (!world.stat(name).content.evicted) ASSERT_TRUE(world.evict(name)) << name;
    ASSERT_TRUE(world.restore(name)) << name;
    EXPECT_TRUE(world.read(name) == content) << name;
  }
}

TEST(TierEngine, LivesThroughBadStores) { firn::testing::for_seeds(100, live_through); }

}  // namespace
}  // namespace firn::tier
