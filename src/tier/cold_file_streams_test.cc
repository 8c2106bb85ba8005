// Several readers of one file in colder tiers, each in order at a place of its own: what they fetch, and how far ahead.
#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "tier/cold_file.h"
#include "tier/testing/cold_world.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::kBlock;
using testing::kChunk;
using World = testing::ColdWorld;

constexpr uint64_t kStoredBlock = kBlock + 8;  // with its checksum
constexpr int64_t kSecond = 1'000'000'000;
constexpr uint64_t kReaderChunks = 16;  // what each reads, and as many lie before the next one's
constexpr uint64_t kRandomChunks = 61;  // behind them all; a prime
constexpr uint64_t kReadaheadChunks = 8;

struct Cost {
  uint64_t gets = 0, bytes = 0;
  int64_t ns = 0;
};

struct Reading {
  uint64_t readers = 1;
  bool with_random = false;  // a block of another chunk each time, far from the one before
};

uint64_t begin_of(uint64_t reader) { return (2 * reader + 1) * kReaderChunks * kChunk; }

// In turn, a block each.
Cost read_in_turn(World& world, Reading reading) {
  const uint64_t gets = world.near.gets(), bytes = world.near.faulty.got_bytes();
  const int64_t begin = world.now();
  uint64_t random_chunk = 0;
  for (uint64_t at = 0; at < kReaderChunks * kChunk; at += kBlock) {
    for (uint64_t reader = 0; reader < reading.readers; ++reader) world.expect_read(begin_of(reader) + at, kBlock);
    if (!reading.with_random || at % (4 * kBlock) != 0) continue;
    random_chunk = (random_chunk + 17) % kRandomChunks;
    world.expect_read(begin_of(4) + random_chunk * kChunk + 3 * kBlock, 64);
  }
  return {.gets = world.near.gets() - gets, .bytes = world.near.faulty.got_bytes() - bytes, .ns = world.now() - begin};
}

std::unique_ptr<World> make_world(uint64_t seed) {
  auto world = std::make_unique<World>(noise(begin_of(4) + kRandomChunks * kChunk, seed), seed);
  world->options.readahead_bytes = kReadaheadChunks * kChunk;
  world->reopen();
  return world;
}

TEST(ColdFileStreams, ReadersInOrderGetTheRequestsThatOneGets) {
  for (const bool with_random : {false, true}) {
    for (const uint64_t readers : {1u, 2u, 4u}) {
      const auto world = make_world(readers);
      const Cost cost = read_in_turn(*world, {.readers = readers, .with_random = with_random});
      // The first two reads get blocks, as nobody knows; of what lies behind the end, as much as is looked ahead.
      const uint64_t chunks = readers * kReaderChunks + kReadaheadChunks;
      const uint64_t random_reads = with_random ? kRandomChunks : 0;
      EXPECT_LE(cost.gets, chunks + 2 * readers + random_reads) << readers << " readers";
      EXPECT_LE(cost.bytes, chunks * world->record(0).frame_bytes + random_reads * kStoredBlock);  // nothing twice
    }
  }
}

TEST(ColdFileStreams, EachIsRunAheadOf) {
  for (const bool with_random : {false, true}) {
    for (const uint64_t readers : {1u, 2u, 4u}) {
      const auto world = make_world(readers);
      world->near.faulty.set_faults({.min_latency_ns = kSecond, .max_latency_ns = kSecond});
      const Cost cost = read_in_turn(*world, {.readers = readers, .with_random = with_random});
      const int64_t random_ns = with_random ? static_cast<int64_t>(kRandomChunks) * kSecond : 0;
      // Each waits for its first two blocks and its first chunk; without looking ahead it would for all its chunks.
      EXPECT_LE(cost.ns - random_ns, static_cast<int64_t>(readers * kReaderChunks) * kSecond * 2 / 3)
          << readers << " readers";
    }
  }
}

TEST(ColdFileStreams, ReadsHereAndThereAreNotRunAheadOf) {
  const auto world = make_world(1);
  (void)read_in_turn(*world, {.readers = 4});
  const uint64_t gets = world->near.gets(), bytes = world->near.faulty.got_bytes();
  for (uint64_t chunk = 0, reads = 0; reads < kRandomChunks; ++reads, chunk = (chunk + 17) % kRandomChunks)
    world->expect_read(begin_of(4) + chunk * kChunk + 3 * kBlock, 64);
  EXPECT_EQ(world->near.gets() - gets, kRandomChunks);
  EXPECT_EQ(world->near.faulty.got_bytes() - bytes, kRandomChunks * kStoredBlock);
}

TEST(ColdFileStreams, TogetherTheyHoldNoMoreThanOne) {
  for (const uint64_t readers : {1u, 2u, 4u}) {
    const auto world = make_world(readers);
    world->options.direct_bytes = 0;
    world->reopen();
    const size_t all = HydrateOptions{}.chunks_in_flight;
    size_t most_held = 0;
    for (uint64_t at = 0; at < kReaderChunks * kChunk; at += kBlock) {
      for (uint64_t reader = 0; reader < readers; ++reader) world->expect_read(begin_of(reader) + at, kBlock);
      world->run(io::sleep_for(kSecond / 1000));  // the disk keeps up
      size_t held = 0;
      while (held < all && !world->hydrator->hold((all - held) * kBlockBytes)) ++held;
      most_held = std::max(most_held, held);
    }
    EXPECT_GT(most_held, 0u) << readers << " readers";
    EXPECT_LE(most_held, kReadaheadChunks + 1) << readers << " readers";
    world->close();
    EXPECT_TRUE(world->hydrator->hold(all * kBlockBytes));
  }
}

TEST(ColdFileStreams, WhereNothingHasAPlaceManyDoNotPushOutWhatOthersRead) {
  const auto world = make_world(1);
  world->options.may_keep = [] { return false; };
  world->reopen();
  const Cost two = read_in_turn(*world, {.readers = 2});
  EXPECT_LE(two.gets, 2 * (kReaderChunks + 3));
  world->reopen();
  const Cost four = read_in_turn(*world, {.readers = 4});
  EXPECT_LE(four.bytes, 4 * (kReaderChunks + 4) * world->record(0).frame_bytes);
}

TEST(ColdFileStreams, AReaderThatWentAwayIsForgottenForOthers) {
  const auto world = make_world(1);
  for (uint64_t reader = 0; reader < 4; ++reader) {
    for (uint64_t at = 0; at < 4 * kChunk; at += kBlock) world->expect_read(begin_of(reader) + at, kBlock);
  }
  // The last one reads on alone, until it has all of the readahead.
  const uint64_t from = 4 * kChunk, until = (kReaderChunks - kReadaheadChunks) * kChunk;
  for (uint64_t at = from; at < until; at += kBlock) world->expect_read(begin_of(3) + at, kBlock);
  world->run(io::sleep_for(kSecond));
  const uint64_t gets = world->near.gets();
  for (uint64_t at = until; at < until + (kReadaheadChunks - 1) * kChunk; at += kChunk)
    world->expect_read(begin_of(3) + at, kBlock);
  EXPECT_LE(world->near.gets() - gets, kReadaheadChunks);  // what it reads was there
}

}  // namespace
}  // namespace firn::tier
