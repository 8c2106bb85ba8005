// What readers find damaged is put right by itself, as far as it can be.
#include "tier/repair_queue.h"

#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "tier/scrubber.h"
#include "tier/test_world.h"
#include "tier/verify_all.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::Place;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;

io::Task<Result<void>> count(size_t* repaired, io::CancelToken* token) {
  if (++*repaired == RepairQueue::kMaxWaiting) token->cancel();
  co_return Result<void>();
}

struct Repairs : public ::testing::Test {
  Repairs() : world({.seed = 1}) {
    world.write("f", content);
    world.upload();
    key = *world.objects().begin();
    world.on_damage = [this](const Damage& damage) { queue.note(damage); };
  }
  // A bit in the frame of that chunk.
  uint64_t in_frame(uint64_t index) { return testing::in_last_block(world.chunks("f")[index]); }
  // The first of what waits.
  void repair() {
    Scrubber scrubber({*world.meta, *world.meta, *world.data, *world.pool, *world.random, world.tiers()},
                      {.chunk_bytes = kChunkBytes});
    io::CancelToken token;
    world.run(queue.run(
        [&](RepairQueue::Object object, io::CancelToken*) {
          token.cancel();  // no more once this one is dealt with
          return scrubber.repair_or_rescue(std::move(object.blob), std::move(object.tier), nullptr);
        },
        &token));
  }

  World world;
  RepairQueue queue;
  const std::string content = noise(6 * kChunkBytes + 100, 1);
  std::string key;
};

TEST_F(Repairs, AReaderHasWhatItMetRepaired) {
  world.flip(*world.near, key, in_frame(3));
  for (int i = 0; i < 3; ++i) world.expect_to_come_back("f", content);
  EXPECT_EQ(world.damaged["near"], 3);
  repair();
  EXPECT_EQ(queue.repaired_objects(), 1u);
  EXPECT_EQ(queue.damaged_chunks(), 3u);
  EXPECT_TRUE(world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr))->problems.empty());
  world.far->faulty.set_down(true);
  world.expect_to_come_back("f", content);
  EXPECT_EQ(world.damaged["near"], 3);
}

// Each tier has damaged another chunk: the blob is whole nowhere, its chunks are somewhere.
TEST_F(Repairs, AReaderHasWhatIsLeftRescued) {
  world.flip(*world.near, key, in_frame(3));
  world.flip(*world.far, key, in_frame(1));
  world.expect_to_come_back("f", content);
  repair();
  EXPECT_EQ(queue.repaired_objects(), 1u);
  EXPECT_FALSE(world.needed_objects().contains(key));
  world.expect_to_come_back("f", content);
  EXPECT_EQ(world.damaged["near"], 1);
}

TEST_F(Repairs, AreBounded) {
  RepairQueue bounded;
  for (char i = 0; i < 120; ++i)
    bounded.note({.tier = "near", .chunk = {.blob = std::string(16, i)}, .what = Status(Code::kCorrupt)});
  EXPECT_EQ(bounded.damaged_chunks(), 120u);
  size_t repaired = 0;
  io::CancelToken token;
  world.run(bounded.run([&](RepairQueue::Object, io::CancelToken*) { return count(&repaired, &token); }, &token));
  EXPECT_EQ(repaired, RepairQueue::kMaxWaiting);
}

// A tier that was away is to get what it missed from the other, which has damaged it: the local disk has it.
TEST_F(Repairs, AnUploadHasWhatItMetSentAgain) {
  const std::string missed = noise(3 * kChunkBytes, 2);
  world.write("g", missed);
  world.far->faulty.set_down(true);
  world.upload();
  const std::string blob = key_of(blob_id_of_name(world.chunks("g")[0].blob));
  world.flip(*world.near, blob, testing::in_last_block(world.chunks("g")[1]));
  world.upload();
  EXPECT_EQ(queue.damaged_chunks(), 0u);  // it is not read for a tier that does not answer
  world.far->faulty.set_down(false);
  EXPECT_EQ(world.upload().failed, 1u);
  EXPECT_EQ(world.damaged["near"], 1);
  repair();
  EXPECT_EQ(queue.repaired_objects(), 1u);
  EXPECT_EQ(world.upload().files, 1u);
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_FALSE(world.needed_objects().contains(blob));
  // What is left of it there concerns nobody any more.
  EXPECT_TRUE(world.run(verify_all(*world.meta, world.tiers(), *world.pool, {}, nullptr))->problems.empty());
  world.near->faulty.set_down(true);
  world.expect_to_come_back("g", missed);
}

// The chunk lies elsewhere than the reader thought, and what it read first is gone: that is no damage.
TEST_F(Repairs, WhatWasMovedMeanwhileIsNotReported) {
  const meta::Chunk before = world.chunks("f")[2];
  world.flip(*world.near, key, in_frame(1));
  world.flip(*world.far, key, in_frame(3));
  world.expect_to_come_back("f", content);
  repair();
  ASSERT_FALSE(world.needed_objects().contains(key));
  for (Place* place : {world.near.get(), world.far.get()}) ASSERT_TRUE(world.run(place->mem->remove(key, {})));
  const auto met = world.damaged;
  const auto plain = world.run(world.hydrator->fetch(world.stat("f").inode, before, nullptr));
  ASSERT_TRUE(plain) << plain.error().to_string();
  EXPECT_TRUE(*plain == content.substr(2 * kChunkBytes, kChunkBytes));
  EXPECT_EQ(world.damaged, met);
  // Nor is what was replaced.
  world.write("f", noise(6 * kChunkBytes + 100, 9));
  world.upload();
  EXPECT_EQ(world.run(world.hydrator->fetch(world.stat("f").inode, before, nullptr)).error(), Code::kStale);
  EXPECT_EQ(world.damaged, met);
}

}  // namespace
}  // namespace firn::tier
