// Ranges of blobs: how many GETs neighbours cost, what reading at random costs more, and what happens when a tier
// fails.
#include "tier/blob_readahead.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/block_on.h"
#include "io/sim/sim_reactor.h"
#include "object/testing/noise.h"
#include "object/testing/place.h"
#include "tier/blob/format.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using object::testing::Place;

constexpr uint64_t kFrame = 20'000;
constexpr uint64_t kFrames = 1000;

class BlobReadaheadTest : public testing::Test {
 protected:
  explicit BlobReadaheadTest(BlobReadaheadOptions options = {}) : ahead_(options) {
    for (uint64_t blob = 0; blob < 4; ++blob) {
      names_.push_back(std::string(15, 'b') + static_cast<char>('0' + blob));
      contents_.push_back(noise(kBlobHeaderBytes + kFrames * kFrame + 1000, blob));
      CHECK(io::run_to_end(reactor_, put_again(blob)).has_value());
    }
  }

  io::Task<Result<void>> put_again(uint64_t blob) {
    return place_.store->put(key_of(blob_id_of_name(names_[blob])), object::Content(contents_[blob]), {}, {});
  }
  static Extent place_of(uint64_t frame) { return {kBlobHeaderBytes + frame * kFrame, kFrame}; }
  io::Task<Result<BlobReadahead::Got>> get(uint64_t blob, uint64_t frame) {
    return ahead_.get(
        {.tier = tier_, .blob = names_[blob], .blob_bytes = contents_[blob].size(), .place = place_of(frame)}, {});
  }
  static io::Task<void> check(BlobReadaheadTest* test, uint64_t blob, uint64_t frame, io::Gate::Entry) {
    const auto got = co_await test->get(blob, frame);
    EXPECT_TRUE(got && got->bytes == test->contents_[blob].substr(place_of(frame).offset, kFrame)) << frame;
  }
  // All at once.
  static io::Task<void> check_all(BlobReadaheadTest* test, uint64_t blob, std::vector<uint64_t> frames) {
    io::Gate gate;
    for (const uint64_t frame : frames) io::detach(check(test, blob, frame, gate.enter()));
    co_await gate.close();
  }
  void expect_frames(uint64_t blob, std::vector<uint64_t> frames) {
    io::run_to_end(reactor_, check_all(this, blob, std::move(frames)));
  }
  void expect_frame(uint64_t blob, uint64_t frame) { expect_frames(blob, {frame}); }
  uint64_t gets() const { return place_.faulty.requests(object::Kind::kGet); }
  uint64_t got_bytes() const { return place_.faulty.got_bytes(); }

  io::SimReactor reactor_{{.seed = 1, .shuffle = true}};
  SeededRandom random_{1};
  Place place_{random_, {.max_latency_ns = 1'000'000}};
  Tier tier_{"near", *place_.store};
  std::vector<std::string> names_, contents_;
  BlobReadahead ahead_;
};

TEST_F(BlobReadaheadTest, NeighboursCostFewGets) {
  for (uint64_t frame = 0; frame < kFrames; ++frame) expect_frame(0, frame);
  EXPECT_LE(gets(), 10u);
  EXPECT_LT(got_bytes(), contents_[0].size() * 11 / 10);
  EXPECT_EQ(ahead_.statistics().served, kFrames - gets());
  // The next blob goes on where this one ended.
  const uint64_t before = gets();
  for (uint64_t frame = 0; frame < 250; ++frame) expect_frame(1, frame);
  EXPECT_LE(gets() - before, 2u);
}

TEST_F(BlobReadaheadTest, TheFirstFrameComesAlone) {
  expect_frame(0, 500);
  EXPECT_EQ(got_bytes(), kFrame);
  expect_frame(0, 900);  // far from that
  expect_frame(1, 0);
  EXPECT_EQ(got_bytes(), 3 * kFrame);
  EXPECT_EQ(ahead_.statistics().ranges, 0u);
}

TEST_F(BlobReadaheadTest, RandomOrderCostsAtMostFourTimesMore) {
  std::vector<uint64_t> frames(kFrames);
  for (uint64_t i = 0; i < kFrames; ++i) frames[i] = i;
  for (size_t i = kFrames; i-- > 1;) std::swap(frames[i], frames[random_.below(i + 1)]);
  for (size_t i = 0; i < 60; ++i) expect_frame(0, frames[i]);
  EXPECT_LE(got_bytes(), 5 * 60 * kFrame);
  // Who goes on has all of it soon, and not much more than once.
  for (size_t i = 60; i < kFrames; ++i) expect_frame(0, frames[i]);
  EXPECT_LE(gets(), 300u);
  EXPECT_LE(got_bytes(), contents_[0].size() * 3 / 2);
}

TEST_F(BlobReadaheadTest, ReadersSideBySideShareTheGets) {
  for (uint64_t i = 0; i < kFrames; i += 8) expect_frames(0, {i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7});
  EXPECT_LE(gets(), 25u);
  EXPECT_LT(got_bytes(), contents_[0].size() * 11 / 10);
}

TEST_F(BlobReadaheadTest, ReadersFarApartDoNotDisturbOneAnother) {
  for (uint64_t i = 0; i < kFrames / 8; ++i)
    for (uint64_t reader = 0; reader < 8; ++reader) expect_frame(reader % 4, reader / 4 * (kFrames / 2) + i);
  EXPECT_LE(gets(), 8 * 6u);
}

TEST_F(BlobReadaheadTest, ManyWhoWantOneRangeMakeOneGet) {
  for (uint64_t frame = 0; frame < 10; ++frame) expect_frame(0, frame);
  const uint64_t before = gets();
  std::vector<uint64_t> frames;
  for (uint64_t frame = 30; frame < 40; ++frame) frames.push_back(frame);
  expect_frame(0, 29);
  expect_frames(0, frames);
  EXPECT_LE(gets() - before, 1u);
}

TEST_F(BlobReadaheadTest, WhatFailsIsFetchedAlone) {
  for (uint64_t frame = 0; frame < 10; ++frame) expect_frame(0, frame);
  place_.faulty.set_down(true);
  const auto in_range = io::run_to_end(reactor_, get(0, 30));
  const auto elsewhere = io::run_to_end(reactor_, get(1, 30));
  EXPECT_TRUE(!in_range && in_range.error().code() == Code::kUnavailable);
  EXPECT_TRUE(!elsewhere && elsewhere.error().code() == Code::kUnavailable);
  place_.faulty.set_down(false);
  for (uint64_t frame = 10; frame < 200; ++frame) expect_frame(0, frame);
}

TEST_F(BlobReadaheadTest, AnObjectThatEndsEarlyYieldsWhatItHas) {
  contents_[2].resize(place_of(20).offset);
  ASSERT_TRUE(io::run_to_end(reactor_, put_again(2)));
  contents_[2].resize(place_of(kFrames).offset);  // what its record says
  for (uint64_t frame = 0; frame < 20; ++frame) expect_frame(2, frame);
  const auto got = io::run_to_end(reactor_, get(2, 20));
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->bytes.empty());
  EXPECT_FALSE(got->shared);
}

TEST_F(BlobReadaheadTest, WhatIsForgottenIsFetchedAgain) {
  for (uint64_t frame = 0; frame < 10; ++frame) expect_frame(0, frame);
  contents_[0] = noise(contents_[0].size(), 77);
  ASSERT_TRUE(io::run_to_end(reactor_, put_again(0)));
  ahead_.forget(tier_, names_[0]);
  EXPECT_EQ(ahead_.statistics().cached_bytes, 0u);
  for (uint64_t frame = 10; frame < 40; ++frame) expect_frame(0, frame);
}

class SmallCache : public BlobReadaheadTest {
 protected:
  SmallCache() : BlobReadaheadTest({.cache_bytes = 1 << 20, .range_bytes = 8 << 20}) {}
};

TEST_F(SmallCache, HoldsNoMoreThanItMay) {
  for (uint64_t i = 0; i < kFrames; ++i) {
    expect_frames(i % 4, {i / 4, i / 4 + kFrames / 2});
    EXPECT_LE(ahead_.statistics().cached_bytes, uint64_t{1} << 20);
  }
  EXPECT_GT(ahead_.statistics().served, kFrames);
}

class NoCache : public BlobReadaheadTest {
 protected:
  NoCache() : BlobReadaheadTest({.cache_bytes = 0}) {}
};

TEST_F(SmallCache, GoesOnAfterReadersThatGaveUp) {
  for (uint64_t frame = 0; frame < 600; frame += 2)
    expect_frame(frame % 8 / 2, frame);  // half of what came is not read
  const uint64_t before = gets();
  for (uint64_t frame = 0; frame < 400; ++frame) expect_frame(0, 600 + frame);
  EXPECT_LT(gets() - before, 100u);
}

TEST_F(NoCache, EveryFrameComesAlone) {
  for (uint64_t frame = 0; frame < 50; ++frame) expect_frame(0, frame);
  EXPECT_EQ(gets(), 50u);
}

}  // namespace
}  // namespace firn::tier
