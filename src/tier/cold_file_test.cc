// What reading a file in colder tiers fetches, and that it is right.
#include "tier/cold_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/testing/seeds.h"
#include "object/testing/noise.h"
#include "tier/testing/cold_world.h"

namespace firn::tier {
namespace {

using object::testing::Faults;
using object::testing::noise;
using testing::kBlock;
using testing::kChunk;
using World = testing::ColdWorld;

constexpr uint64_t kStoredBlock = kBlock + 8;  // with its checksum
constexpr int64_t kSecond = 1'000'000'000;

// Blocks that compress beside blocks that do not.
std::string mixed(uint64_t bytes, uint64_t seed) {
  SeededRandom random(seed);
  std::string made;
  while (made.size() < bytes) {
    if (random.below(2) == 0) made += noise(1 + random.below(2 * kBlock), random.next());
    for (uint64_t lines = random.below(30); lines > 0; --lines) made += "a line of text, much like others\n";
  }
  made.resize(bytes);
  return made;
}

// Far from one another and from the file's begin, so that nothing looks sequential.
std::vector<uint64_t> scattered_offsets(uint64_t count, uint64_t file_bytes, uint64_t seed) {
  SeededRandom random(seed);
  std::vector<uint64_t> offsets;
  uint64_t last = 0;
  while (offsets.size() < count) {
    const uint64_t offset = random.below(file_bytes - 64);
    if (std::max(offset, last) - std::min(offset, last) > kChunk) offsets.push_back(last = offset);
  }
  return offsets;
}

TEST(ColdFile, RandomReadsFetchTheirBlocksAlone) {
  World world(noise(64 * kChunk, 1));
  std::set<uint64_t> blocks;
  uint64_t expected_gets = 0;
  for (const uint64_t offset : scattered_offsets(300, world.content.size(), 1)) {
    world.expect_read(offset, 64);
    const bool first = blocks.insert(offset / kBlock).second;
    const bool second = blocks.insert((offset + 63) / kBlock).second;
    const bool two_chunks = offset / kChunk != (offset + 63) / kChunk;
    expected_gets += two_chunks ? first + second : first || second;
  }
  EXPECT_EQ(world.near.gets(), expected_gets);  // one request each, none for what is here
  EXPECT_EQ(world.near.faulty.got_bytes(), blocks.size() * kStoredBlock);
  world.close();
  EXPECT_EQ(world.allocated(), blocks.size() * kBlock);
}

TEST(ColdFile, WhatComesAlongIsKept) {
  World world(noise(16 * kChunk, 20));
  world.options.block_bytes = kBlock / 4;
  world.reopen();
  world.expect_read(9 * kChunk + 3 * kBlock + 10, 20);  // of one block of the frame, which comes as a whole
  EXPECT_EQ(world.near.faulty.got_bytes(), kStoredBlock);
  for (uint64_t at = 0; at + 20 < kBlock; at += 60) {
    world.expect_read(9 * kChunk + 3 * kBlock + at, 20);
    world.expect_read(2 * kChunk + 3, 20);  // so that it does not look sequential
  }
  EXPECT_EQ(world.near.gets(), 2u);
  world.close();
  EXPECT_EQ(world.allocated(), 2 * kBlock);
}

TEST(ColdFile, WhoReadsNearbyGetsMoreAtOnce) {
  World world(noise(16 * kChunk, 21));
  world.options.nearby_bytes = 4 * kBlock;
  world.reopen();
  world.expect_read(9 * kChunk + 6 * kBlock, 20);  // of blocks 4 to 7
  EXPECT_EQ(world.near.faulty.got_bytes(), kStoredBlock);
  world.expect_read(2 * kChunk, 20);
  world.expect_read(9 * kChunk + 4 * kBlock, 20);
  // The two that were asked for before, and 4 to 7 at once: that 6 is there makes no two requests of it.
  EXPECT_EQ(world.near.faulty.got_bytes(), (2 + 4) * kStoredBlock);
  const uint64_t gets = world.near.gets();
  EXPECT_EQ(gets, 3u);
  for (uint64_t block = 4; block < 8; ++block) {
    world.expect_read(9 * kChunk + block * kBlock + 7, 20);
    world.expect_read(2 * kChunk, 20);
  }
  EXPECT_EQ(world.near.gets(), gets);
}

TEST(ColdFile, WhatCameAtOnceIsReadFromMemoryBehindWhatWasThereBefore) {
  World world(noise(16 * kChunk, 25));
  world.options.nearby_bytes = 4 * kBlock;
  world.options.may_keep = [] { return false; };
  world.reopen();
  const std::vector<uint64_t> blocks = {6, 4, 7, 5, 6};  // the first alone, and with the next one all of 4 to 7
  for (const uint64_t block : blocks) {
    world.expect_read(9 * kChunk + block * kBlock + 7, 20);
    world.expect_read(2 * kChunk, 20);
  }
  EXPECT_EQ(world.near.gets(), 3u);
}

TEST(ColdFile, WhatWentPastThePageCacheIsHeldUntilItIsRead) {
  World world(noise(32 * kChunk, 22));
  world.options.direct_bytes = 0;
  world.reopen();
  const uint64_t all = 32 * kBlockBytes;  // as much as may be held
  for (uint64_t offset = 0; offset < 4 * kChunk; offset += kBlock) world.expect_read(offset, kBlock);
  EXPECT_FALSE(world.hydrator->hold(all));
  for (uint64_t offset = 4 * kChunk; offset < world.content.size(); offset += kBlock) world.expect_read(offset, kBlock);
  EXPECT_EQ(world.near.gets(), 32u);
  world.close();
  EXPECT_TRUE(world.hydrator->hold(all));
  EXPECT_EQ(world.allocated(), world.content.size());
}

TEST(ColdFile, WholeChunksOfALongFileGoPastThePageCache) {
  World world(noise(8 * testing::kPagesScale * kChunk, 24), 24, std::nullopt, testing::kPagesScale);
  const uint64_t chunk = world.chunk_bytes;
  for (const uint64_t direct_bytes : {world.content.size() + 1, world.content.size()}) {
    world.options.direct_bytes = direct_bytes;
    world.reopen();
    for (uint64_t offset = 0; offset < world.content.size(); offset += chunk) world.expect_read(offset, chunk);
    ASSERT_TRUE(world.run(world.cold->make_resident(nullptr)));
    EXPECT_EQ(world.direct_writes > 0, direct_bytes == world.content.size());
    world.expect_read(0, world.content.size());
    world.close();
    world.evict();
  }
}

TEST(ColdFile, WhatHasNoPlaceDoesNotKeepWhatIsReadInMemory) {
  World world(noise(32 * kChunk, 23));
  bool room = false;
  world.options.direct_bytes = 0;
  world.options.readahead_bytes = 32 * kChunk;
  world.options.may_keep = [&] { return room; };
  world.reopen();
  for (uint64_t offset = 0; offset < world.content.size(); offset += kBlock) {
    room = offset >= 2 * kChunk;
    world.expect_read(offset, kBlock);
  }
  world.run(io::sleep_for(kSecond));                    // until all of it is on the disk
  EXPECT_TRUE(world.hydrator->hold(31 * kBlockBytes));  // at most the last chunk is held
}

TEST(ColdFile, BlocksOfEverySizeAreFound) {
  for (const bool sealed : {false, true}) {
    World world(mixed(40 * kChunk + 100, 2), 2, sealed ? std::optional(Key{std::byte{9}}) : std::nullopt);
    for (const uint64_t offset : scattered_offsets(400, world.content.size(), 2)) world.expect_read(offset, 64);
    world.expect_read(world.content.size() - 10, 100);
    EXPECT_LT(world.near.faulty.got_bytes(), world.near.gets() * 2 * (kStoredBlock + kTagBytes));
    EXPECT_TRUE(world.damaged.empty());
  }
}

TEST(ColdFile, ReadsOfOneChunkDoNotWaitForOneAnother) {
  World world(noise(64 * kChunk, 3));
  world.near.faulty.set_faults({.min_latency_ns = kSecond, .max_latency_ns = kSecond});
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (uint64_t block = 0; block < kChunk / kBlock; ++block) ranges.emplace_back(40 * kChunk + block * kBlock + 3, 20);
  // Each is far from the one before.
  for (size_t i = 0; i < 16; ++i)
    ranges.insert(ranges.begin() + static_cast<ptrdiff_t>(2 * i), {i % 8 * kChunk + 9, 5});
  const int64_t begin = world.now();
  world.expect_reads(ranges);
  EXPECT_LT(world.now() - begin, kSecond * 3 / 2);
  EXPECT_EQ(world.near.gets(), 16u + 8u);
}

TEST(ColdFile, ReadersOfABlockShareItsFetch) {
  World world(noise(8 * kChunk, 4));
  world.near.faulty.set_faults({.min_latency_ns = kSecond, .max_latency_ns = kSecond});
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (uint64_t i = 0; i < 2; ++i) ranges.emplace_back(5 * kChunk + 9 * kBlock + i, 100);
  world.expect_reads(ranges);
  EXPECT_EQ(world.near.gets(), 1u);
}

TEST(ColdFile, SequentialReadsFetchWholeChunks) {
  World world(noise(20 * kChunk, 5));
  for (uint64_t offset = 0; offset < world.content.size(); offset += 256) world.expect_read(offset, 256);
  EXPECT_EQ(world.near.gets(), 20u);
  EXPECT_LE(world.near.faulty.got_bytes(), 20 * world.record(0).frame_bytes);  // nothing twice
  world.run(io::sleep_for(kSecond));                                           // until all of it is on the disk
  EXPECT_TRUE(world.cold->complete());
}

TEST(ColdFile, SequentialReadsFromTheMiddleSoonFetchWholeChunks) {
  World world(noise(40 * kChunk, 6));
  for (uint64_t offset = 20 * kChunk; offset < world.content.size(); offset += kBlock)
    world.expect_read(offset, kBlock);
  EXPECT_LE(world.near.gets(), 20u + 2u);
  EXPECT_LE(world.near.faulty.got_bytes(), 20 * world.record(0).frame_bytes);  // nothing twice
}

TEST(ColdFile, ReadsAheadWhileReadingIsSequential) {
  World world(noise(40 * kChunk, 7));
  world.near.faulty.set_faults({.min_latency_ns = kSecond, .max_latency_ns = kSecond});
  const int64_t begin = world.now();
  for (uint64_t offset = 0; offset < world.content.size(); offset += kBlock) world.expect_read(offset, kBlock);
  EXPECT_LT(world.now() - begin, 20 * kSecond);  // 40 fetches of a second each
}

TEST(ColdFile, ADamagedBlockIsReadFromTheNextTier) {
  World world(mixed(40 * kChunk, 8));
  const uint64_t bad = 20 * kChunk / kBlock + 5, good = bad + 7;
  world.near.flip(world.place_of(bad).offset + 3);
  world.expect_read(good * kBlock, 100);
  EXPECT_TRUE(world.damaged.empty());  // what is wrong beside it does not matter
  EXPECT_EQ(world.far.gets(), 0u);
  world.expect_read(bad * kBlock, 100);
  EXPECT_EQ(world.damaged["near"], 1);
  EXPECT_EQ(world.damaged["far"], 0);
  EXPECT_EQ(world.far.gets(), 1u);
}

TEST(ColdFile, ADamagedBlockEverywhereIsAnError) {
  World world(noise(40 * kChunk, 9));
  const uint64_t bad = 20 * kChunk / kBlock + 5;
  const uint64_t at = world.place_of(bad).offset;
  world.near.flip(at);
  world.far.flip(at + 1);
  EXPECT_EQ(world.try_read(bad * kBlock, 100).error(), Code::kCorrupt);
  EXPECT_EQ(world.damaged["near"], 1);
  EXPECT_EQ(world.damaged["far"], 1);
  world.expect_read((bad + 1) * kBlock, 100);
  EXPECT_EQ(world.run(world.cold->make_resident(nullptr)).error(), Code::kCorrupt);
}

TEST(ColdFile, ARecordThatDoesNotKnowTheBlocksCostsOnlyTime) {
  World world(mixed(40 * kChunk, 10));
  meta::Chunk chunk = world.record(20);
  chunk.blocks.clear();
  world.record(chunk);
  world.expect_read(20 * kChunk + 3000, 100);
  EXPECT_EQ(world.near.faulty.got_bytes(), chunk.frame_bytes);
  chunk = world.record(30);
  chunk.blocks[2] ^= 1;  // of another frame
  world.record(chunk);
  world.expect_read(30 * kChunk + 3000, 100);
  EXPECT_TRUE(world.damaged.empty());
}

TEST(ColdFile, AChunkOfAnotherLengthThanTheFileHasIsRefused) {
  World world(noise(40 * kChunk, 26));
  for (const int64_t more : std::vector<int64_t>{-1, 1, 1 - static_cast<int64_t>(kChunk), kChunk}) {
    meta::Chunk chunk = world.record(20);
    chunk.bytes = static_cast<uint32_t>(static_cast<int64_t>(kChunk) + more);
    world.record(chunk);
    const auto got = world.try_read(20 * kChunk + 300, 100);
    ASSERT_FALSE(got) << more;
    EXPECT_EQ(got.error(), Code::kCorrupt);
    EXPECT_NE(got.error().message().find("another length"), std::string::npos) << got.error().message();
  }
  EXPECT_EQ(world.near.gets(), 0u);
  EXPECT_TRUE(world.damaged.empty()) << "no tier is to blame";
  EXPECT_EQ(world.allocated(), 0u);
}

TEST(ColdFile, ABlockOfAnotherStateOfTheChunkIsRefused) {
  World world(noise(40 * kChunk, 11));
  meta::Chunk chunk = world.record(20);
  chunk.checksum ^= 1;
  world.record(chunk);
  EXPECT_EQ(world.try_read(20 * kChunk + 3000, 100).error(), Code::kCorrupt);
}

TEST(ColdFile, WhatHasNoRoomIsServedAndNotFetchedForEveryRead) {
  World world(noise(40 * kChunk, 12));
  world.options.may_keep = [] { return false; };
  world.reopen();
  for (uint64_t i = 0; i < 8; ++i) world.expect_read(20 * kChunk + kBlock + i * 60, 60);
  EXPECT_LE(world.near.gets(), 3u);  // the block, then the rest of its chunk and the next
  world.reopen();
  const uint64_t before = world.near.gets();
  for (uint64_t offset = 0; offset < world.content.size(); offset += 256) world.expect_read(offset, 256);
  EXPECT_EQ(world.near.gets() - before, 40u);
  EXPECT_EQ(world.allocated(), 0u);
  EXPECT_EQ(world.run(world.cold->make_resident(nullptr)).error(), Code::kNoSpace);
}

TEST(ColdFile, WhatCameBackIsKnownWhenItIsOpenedAgain) {
  World world(noise(40 * kChunk, 13));
  world.expect_read(20 * kChunk + 700, 100);
  world.reopen();
  world.expect_read(20 * kChunk + 600, 300);
  EXPECT_EQ(world.near.gets(), 1u);
  world.close();
  world.evict();
  EXPECT_EQ(world.allocated(), 0u);
  world.open();
  world.expect_read(20 * kChunk + 600, 300);
  EXPECT_EQ(world.near.gets(), 2u);
}

TEST(ColdFile, AnotherProcessTrustsWholeChunksOnly) {
  World world(noise(40 * kChunk, 14));
  world.expect_read(20 * kChunk, kChunk);
  world.expect_read(30 * kChunk + 700, 100);
  EXPECT_EQ(world.near.gets(), 2u);
  world.restart();
  world.open();
  world.expect_read(20 * kChunk + 1000, 100);
  EXPECT_EQ(world.near.gets(), 2u);
  world.expect_read(30 * kChunk + 700, 100);
  EXPECT_EQ(world.near.gets(), 3u);
}

TEST(ColdFile, TheRestComesInOneRequestForAChunk) {
  World world(mixed(20 * kChunk + 77, 15));
  for (const uint64_t offset : scattered_offsets(30, world.content.size(), 15)) world.expect_read(offset, 64);
  const uint64_t before = world.near.gets();
  ASSERT_TRUE(world.run(world.cold->make_resident(nullptr)));
  EXPECT_LE(world.near.gets() - before, 21u);
  EXPECT_FALSE(world.hydrator->returned().take(world.inode));
  world.expect_read(0, world.content.size());
}

// Whatever is read, in whatever order, while stores misbehave.
void read_everyhow(uint64_t seed) {
  SeededRandom choose(seed);
  const uint64_t scale = choose.below(3) == 0 ? testing::kPagesScale : 1;
  const uint64_t block = scale * kBlock, chunk = scale * kChunk;
  const uint64_t bytes = 1 + choose.below(30 * chunk);
  const std::optional<Key> key = choose.below(2) == 0 ? std::optional(Key{std::byte{1}}) : std::nullopt;
  World world(choose.below(2) == 0 ? noise(bytes, seed) : mixed(bytes, seed), seed, key, scale);
  const Faults faults{.refused = 0.1, .answer_lost = 0.05, .truncated = 0.05, .max_latency_ns = kSecond};
  world.far.faulty.set_faults(faults);
  Faults corrupting = faults;
  corrupting.corrupted = 0.1;
  world.near.faulty.set_faults(corrupting);
  world.options.block_bytes = block << choose.below(3) >> 1;
  world.options.nearby_bytes = choose.below(2) * 4 * block;
  world.options.direct_bytes = choose.below(2) * (64 << 20);
  bool room = true;
  world.options.may_keep = [&] { return room; };
  world.reopen();
  for (int step = 0; step < 40 && !::testing::Test::HasFailure(); ++step) {
    const uint64_t what = choose.below(12);
    if (what < 6) {
      std::vector<std::pair<uint64_t, uint64_t>> ranges;
      for (uint64_t reads = 1 + choose.below(8); reads > 0; --reads)
        ranges.emplace_back(choose.below(bytes), 1 + choose.below(choose.below(4) == 0 ? 3 * chunk : block));
      world.expect_reads(ranges);
    } else if (what < 8) {
      uint64_t offset = choose.below(3) == 0 ? 0 : choose.below(bytes);
      for (int reads = 0; reads < 20 && offset < bytes; ++reads, offset += 700 * scale)
        world.expect_read(offset, 700 * scale);
    } else if (what == 8) {
      world.reopen();
    } else if (what == 9) {
      world.restart();
      if (choose.below(2) == 0) world.evict();
      world.open();
    } else if (what == 10) {
      room = !room;
    } else {
      const auto done = world.run(world.cold->make_resident(nullptr));
      EXPECT_TRUE(done || !room) << done.error().to_string();
      world.close();
      world.evict();
      world.open();
    }
  }
}

TEST(ColdFile, ReadsRightWhateverHappens) { firn::testing::for_seeds(100, read_everyhow); }

TEST(ReturnedBlocks, AreBounded) {
  ReturnedBlocks returned;
  for (uint64_t inode = 1; inode <= 300; ++inode) {
    BlockSet blocks(1 << 20);
    blocks.add(inode, inode + 1);
    returned.put(InodeId(inode), std::move(blocks));
    EXPECT_LE(returned.memory_bytes(), ReturnedBlocks::kMaxBytes);
  }
  EXPECT_FALSE(returned.take(InodeId(1)));
  const auto last = returned.take(InodeId(300));
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->has(300));
  EXPECT_EQ(last->count(), 1u);
  EXPECT_FALSE(returned.take(InodeId(300)));
  for (uint64_t inode = 1; inode < 300; ++inode) (void)returned.take(InodeId(inode));
  EXPECT_EQ(returned.memory_bytes(), 0u);
}

}  // namespace
}  // namespace firn::tier
