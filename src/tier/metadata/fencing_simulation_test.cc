// Two machines that want to be a volume's writer at the same time, over lines of any quality: under simulated time, by
// a seed. FIRN_SEEDS=N for a soak, FIRN_SEED=N for one.
#include <gtest/gtest.h>

#include "base/testing/seeds.h"
#include "io/test_environment.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using object::testing::Faults;
using testing::BucketWorld;
using testing::kSecond;
using testing::kVolume;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

void open_both(uint64_t seed) {
  BucketWorld world(seed);
  Way first(world, {.max_latency_ns = kSecond}), second(world, {.max_latency_ns = kSecond});
  std::vector<Result<Writership>> taken;
  const auto open = [&taken](Bucket bucket, io::Gate::Entry) -> Task<void> {
    taken.push_back(co_await take_over(bucket, {.volume = kVolume}));
  };
  const auto both = [&]() -> Task<void> {
    io::Gate gate;
    io::detach(open(first.bucket, gate.enter()));
    io::detach(open(second.bucket, gate.enter()));
    co_await gate.close();
  };
  world.run(both());
  ASSERT_EQ(taken.size(), 2u);
  size_t writers = 0;
  for (const Result<Writership>& one : taken) {
    if (!one) {
      EXPECT_EQ(one.error(), Code::kNotPermitted) << one.error().to_string();
      continue;
    }
    LogWriter log(first.bucket, *one, kSecond, nullptr);
    writers += world.run(log.confirm(nullptr)).has_value();
  }
  EXPECT_EQ(writers, 1u);
  if (taken[0] && taken[1]) EXPECT_NE(taken[0]->epoch, taken[1]->epoch);
}

TEST(Fencing, OfTwoOpenersAtOnceOneIsTheWriter) { firn::testing::for_seeds(100, open_both); }

// Of what write_until_fenced() puts; -1: nothing.
int64_t last_of(const State& state) { return state.contains("k") ? std::stoll(state.at("k")) : -1; }

Task<void> write_on(Session* session, int64_t* acknowledged, io::Gate::Entry) {
  *acknowledged = co_await testing::write_until_fenced(*session);
}

const Faults kFast{.min_latency_ns = kSecond / 100, .max_latency_ns = kSecond / 50};

// However fast the writer goes, and whether it or its successor has the better line.
void take_over_from_one_that_goes_on(uint64_t seed) {
  BucketWorld world(seed);
  const Faults bad{.refused = 0.1,
                   .answer_lost = 0.1,
                   .late = 0.05,
                   .min_latency_ns = kSecond / 100,
                   .max_latency_ns = kSecond / 30};
  Session writer(world, seed % 3 == 0 ? bad : kFast);
  Way successor(world, seed % 2 == 0 ? bad : kFast);
  while (!writer.open().ok()) {
  }
  Result<Writership> held;
  int64_t acknowledged = -1;
  const auto both = [&]() -> Task<void> {
    io::Gate gate;
    io::detach(write_on(&writer, &acknowledged, gate.enter()));
    co_await io::sleep_for(kSecond);
    do held = co_await take_over(successor.bucket, {.volume = kVolume});
    while (!held && (held.error() == Code::kUnavailable || held.error() == Code::kTimedOut));
    co_await gate.close();
  };
  world.run(both());
  ASSERT_TRUE(held) << held.error().to_string();
  EXPECT_EQ(writer.shipper->fenced(), Code::kNotPermitted);
  const State there = restored_state(world);
  EXPECT_GE(last_of(there), acknowledged);
}

TEST(Fencing, AWriterThatGoesOnAndOnIsTakenOver) { firn::testing::for_seeds(60, take_over_from_one_that_goes_on); }

// What it was told is there for who opens the volume, and what came after that, unanswered, may be.
void open_beside_one_that_goes_on(uint64_t seed) {
  BucketWorld world(seed);
  const Faults uneven{.refused = 0.02,
                      .answer_lost = 0.02,
                      .late = 0.05,
                      .min_latency_ns = kSecond / 100,
                      .max_latency_ns = kSecond / 30};
  Session writer(world, seed % 3 == 0 ? uneven : kFast), successor(world, seed % 2 == 0 ? uneven : kFast);
  while (!writer.open({.root_log_objects = 20 + seed % 100}).ok()) {
  }
  Status opened;
  int64_t acknowledged = -1;
  const auto both = [&]() -> Task<void> {
    io::Gate gate;
    io::detach(write_on(&writer, &acknowledged, gate.enter()));
    co_await io::sleep_for(static_cast<int64_t>(seed % 7) * kSecond / 3);
    do opened = co_await successor.open_here();
    while (opened == Code::kUnavailable || opened == Code::kTimedOut || opened == Code::kBusy);
    co_await gate.close();
  };
  world.run(both());
  ASSERT_TRUE(opened.ok()) << opened.to_string();
  EXPECT_EQ(writer.shipper->fenced(), Code::kNotPermitted);
  State there = world.run(testing::History::read(*successor.engine));
  EXPECT_GE(last_of(there), acknowledged);
  while (!successor.put("after", "1").ok()) ASSERT_TRUE(successor.fenced.empty());
  there["after"] = "1";
  EXPECT_EQ(restored_state(world), there);
}

TEST(Fencing, WhoOpensBesideAWriterHasWhatThatWasTold) { firn::testing::for_seeds(60, open_beside_one_that_goes_on); }

}  // namespace
}  // namespace firn::tier
