// Two daemons, one volume: who is the writer, and how the other one learns that it is not.
#include <gtest/gtest.h>

#include "io/test_environment.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using object::Kind;
using testing::BucketWorld;
using testing::count;
using testing::kSecond;
using testing::kVolume;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

TEST(BucketVolume, TheOneThatIsTakenOverIsToldAndPutsNothingMore) {
  BucketWorld world(5);
  Session first(world), second(world);
  ASSERT_TRUE(first.open().ok());
  ASSERT_TRUE(first.put("a", "1").ok());
  ASSERT_TRUE(second.open().ok());
  ASSERT_TRUE(second.put("b", "2").ok());
  ASSERT_TRUE(first.commit("c", "3"));
  const Result<void> synced = first.sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error(), Code::kNotPermitted);
  EXPECT_NE(synced.error().message().find("another daemon has taken over this volume"), std::string::npos);
  EXPECT_NE(synced.error().message().find("epoch 2"), std::string::npos) << synced.error().message();
  EXPECT_EQ(first.fenced.size(), 1u);
  const uint64_t puts = first.way.faulty->requests(Kind::kPut);
  EXPECT_EQ(first.commit("d", "4").error(), Code::kNotPermitted);
  EXPECT_EQ(first.sync().error(), Code::kNotPermitted);
  EXPECT_EQ(world.run(first.shipper->publish_root()).error(), Code::kNotPermitted);
  EXPECT_EQ(first.release().error(), Code::kNotPermitted);
  world.wait(600 * kSecond);
  EXPECT_EQ(first.way.faulty->requests(Kind::kPut), puts);
  EXPECT_EQ(first.fenced.size(), 1u);
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}}));
}

// Its successor's fence is then where the forgotten object was, and not in its own next place.
TEST(BucketVolume, AWriterWhoseLastObjectTheStoreForgotLearnsOfATakeOver) {
  const int64_t beat_ns = ShipOptions().heartbeat_ns;
  for (int beats = 0; beats < 4; ++beats) {
    SCOPED_TRACE("after " + std::to_string(beats) + " heartbeats");
    BucketWorld world(static_cast<uint64_t>(30 + beats));
    Session former(world), successor(world);
    ASSERT_TRUE(former.open().ok());
    ASSERT_TRUE(former.put("a", "1").ok());
    world.wait(beats * beat_ns + kSecond);
    ASSERT_TRUE(world.run(world.mem->remove(log_key(former.shipper->status().next_log - 1), {})));
    ASSERT_TRUE(successor.open().ok());
    ASSERT_EQ(successor.held.fence, former.shipper->status().next_log - 1);
    ASSERT_TRUE(former.fenced.empty());
    if (beats % 2 == 0) {
      // Every other heartbeat looks at the root.
      world.wait(2 * beat_ns);
    } else {
      EXPECT_EQ(world.run(former.shipper->lease().wait()).error(), Code::kNotPermitted);
    }
    EXPECT_EQ(former.fenced.size(), 1u);
    EXPECT_EQ(former.shipper->fenced(), Code::kNotPermitted);
    EXPECT_TRUE(successor.put("b", "2").ok());
  }
}

// The store has forgotten what stood before its successor's fence, so that its own next place stays free; and it never
// pauses.
TEST(BucketVolume, AWriterBehindAHoleThatGoesOnAndOnLearnsOfATakeOverWithinAHeartbeat) {
  BucketWorld world(40);
  Session former(world), successor(world);
  ASSERT_TRUE(former.open().ok());
  for (int i = 0; i < 90; ++i) {
    ASSERT_TRUE(former.put("k", std::to_string(i)).ok());
    world.wait(kSecond);
  }
  ASSERT_TRUE(world.run(world.mem->remove(log_key(former.shipper->status().next_log - 1), {})));
  ASSERT_TRUE(successor.open().ok());
  const int64_t taken_over = world.now();
  while (former.put("k", "a new value").ok() && world.now() - taken_over < 1000 * kSecond) world.wait(kSecond);
  EXPECT_LE(world.now() - taken_over, ShipOptions().heartbeat_ns + kSecond);
  EXPECT_EQ(former.shipper->fenced(), Code::kNotPermitted);
}

// How many of its gets are under way at once.
class CountingStore final : public object::testing::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Task<Result<object::Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    most_ = std::max(most_, ++now_);
    Result<object::Fetched> got = co_await ForwardingStore::get(std::move(key), offset, bytes, until);
    --now_;
    co_return got;
  }
  size_t most() const { return most_; }

 private:
  size_t now_ = 0, most_ = 0;
};

// It is a hundred places further by each answer, until it needs a root.
TEST(BucketVolume, WhoFollowsAWriterThatGoesOnAsksForNoMoreThanSoManyPlacesAtOnce) {
  BucketWorld world(41);
  Session writer(world, {.min_latency_ns = kSecond / 1000, .max_latency_ns = kSecond / 500});
  Way slow(world, {.min_latency_ns = kSecond / 5, .max_latency_ns = kSecond / 4});
  CountingStore counting(slow.bucket.store);
  const Bucket bucket{.store = counting, .pool = world.pool, .random = world.random};
  ASSERT_TRUE(writer.open({.root_log_objects = 5000}).ok());
  Result<Writership> held;
  const auto write_on = [](Session* session, io::Gate::Entry) -> Task<void> {
    (void)co_await testing::write_until_fenced(*session);
  };
  const auto both = [&]() -> Task<void> {
    io::Gate gate;
    io::detach(write_on(&writer, gate.enter()));
    co_await io::sleep_for(kSecond);
    held = co_await take_over(bucket, {.volume = kVolume});
    co_await gate.close();
  };
  world.run(both());
  ASSERT_TRUE(held) << held.error().to_string();
  EXPECT_EQ(writer.shipper->fenced(), Code::kNotPermitted);
  EXPECT_EQ(counting.most(), 64u);
}

TEST(BucketVolume, AWriterThatSleptForLongerThanTheLogIsKeptAcknowledgesNothing) {
  BucketWorld world(6);
  const ShipOptions quick{.root_log_objects = 3, .retention = {.keep_roots = 1, .grace_ns = 10 * kSecond}};
  Session sleeper(world), busy(world);
  ASSERT_TRUE(sleeper.open().ok());
  ASSERT_TRUE(sleeper.put("a", "1").ok());
  sleeper.way.line.freeze_until(1'000'000 * kSecond);
  ASSERT_TRUE(sleeper.commit("lost", "x"));
  ASSERT_TRUE(busy.open(quick).ok());
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(busy.put("k" + std::to_string(i % 7), std::to_string(i)).ok());
    world.wait(5 * kSecond);
  }
  EXPECT_LT(count(world, "log/"), 15u);
  EXPECT_FALSE(sleeper.shipper->lease_valid());
  const State before = restored_state(world);
  world.wait(1'000'000 * kSecond);  // and now it wakes
  EXPECT_EQ(sleeper.sync().error(), Code::kNotPermitted);
  EXPECT_EQ(world.run(sleeper.shipper->publish_root()).error(), Code::kNotPermitted);
  EXPECT_EQ(restored_state(world), before);
  EXPECT_TRUE(busy.put("still", "here").ok());
}

TEST(BucketVolume, AnOpenerThatSleptIsTold) {
  int64_t delay = 0;
  for (;; ++delay) {
    SCOPED_TRACE("asleep after " + std::to_string(delay) + " s");
    BucketWorld world(6);
    const ShipOptions quick{.root_log_objects = 3, .retention = {.keep_roots = 1, .grace_ns = 10 * kSecond}};
    Session busy(world);
    ASSERT_TRUE(busy.open(quick).ok());
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(busy.put("k", std::to_string(i)).ok());
    Way sleepy(world, {.min_latency_ns = kSecond, .max_latency_ns = kSecond});
    std::optional<Result<Writership>> taken;
    const auto open = [](Bucket bucket, std::optional<Result<Writership>>& to) -> Task<void> {
      to = co_await take_over(bucket, {.volume = kVolume});
    };
    const auto start = [&]() -> Task<void> {
      io::detach(open(sleepy.bucket, taken));
      co_await io::sleep_for(delay * kSecond);
    };
    world.run(start());
    sleepy.line.freeze_until(world.now() + 5000 * kSecond);
    world.wait(2 * kSecond);
    if (taken) break;  // it was through
    bool fenced = false;
    for (int i = 0; i < 60 && !fenced; ++i) {
      fenced = !busy.put("k", std::to_string(100 + i)).ok();
      world.wait(5 * kSecond);
    }
    if (fenced) {  // the opener had got so far; then the next one goes on
      Session next(world);
      ASSERT_TRUE(next.open(quick).ok());
      for (int i = 0; i < 60; ++i) {
        ASSERT_TRUE(next.put("k", std::to_string(200 + i)).ok());
        world.wait(5 * kSecond);
      }
      ASSERT_TRUE(next.release());
    }
    const State before = restored_state(world);
    world.wait(10'000 * kSecond);
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(restored_state(world), before);
    ASSERT_FALSE(*taken);
    EXPECT_TRUE((*taken).error() == Code::kNotPermitted || (*taken).error() == Code::kTimedOut ||
                (*taken).error() == Code::kUnavailable || (*taken).error() == Code::kNotFound)
        << (*taken).error().to_string();
    Session after(world);
    ASSERT_TRUE(after.open().ok());
    EXPECT_TRUE(after.put("still", "here").ok());
  }
  EXPECT_GT(delay, 8);
}

TEST(BucketVolume, AnAnswerThatWasLostIsNotTakenForATakeover) {
  BucketWorld world(15);
  Session session(world);
  ASSERT_TRUE(session.open({.root_log_objects = 3}).ok());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(session.commit("k", std::to_string(i)));
    session.way.faulty->set_faults({.answer_lost = 1});
    world.wait(100 * kSecond);
    session.way.faulty->set_faults({});
    ASSERT_TRUE(session.sync());
  }
  EXPECT_TRUE(session.fenced.empty());
  EXPECT_EQ(restored_state(world), (State{{"k", "9"}}));
}

TEST(BucketVolume, ReleaseLeavesNothingToDoubt) {
  BucketWorld world(7);
  {
    Session session(world);
    ASSERT_TRUE(session.open().ok());
    EXPECT_FALSE(session.held.clean);
    EXPECT_FALSE(world.run(is_released(session.way.bucket)).value());
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(session.put("k", std::to_string(i)).ok());
    ASSERT_TRUE(session.commit("last", "one"));
    ASSERT_TRUE(session.release());
    EXPECT_GE(session.shipper->status().root, 2u);  // there was much log
  }
  EXPECT_EQ(restored_state(world), (State{{"k", "399"}, {"last", "one"}}));
  Session next(world);
  ASSERT_TRUE(next.open().ok());
  EXPECT_TRUE(next.held.clean);
  EXPECT_FALSE(world.run(is_released(next.way.bucket)).value());
  world.run(next.shipper->close());  // without a release
  Session third(world);
  ASSERT_TRUE(third.open().ok());
  EXPECT_FALSE(third.held.clean);
}

TEST(BucketVolume, ReleaseGivesUpInTime) {
  BucketWorld world(16);
  Session session(world);
  ASSERT_TRUE(session.open({.root_log_objects = 4}).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session.put("k", std::to_string(i)).ok());
  ASSERT_TRUE(session.commit("last", "one"));
  session.way.faulty->set_down(true);
  const int64_t start = world.now();
  EXPECT_EQ(session.release(20 * kSecond).error(), Code::kTimedOut);
  EXPECT_LE(world.now() - start, 21 * kSecond);
  EXPECT_EQ(restored_state(world), (State{{"k", "2"}}));
}

TEST(BucketVolume, AnotherVolumeIsNotTakenForThis) {
  BucketWorld world(14);
  Session session(world);
  ASSERT_TRUE(session.open().ok());
  Way way(world);
  EXPECT_EQ(world.run(take_over(way.bucket, {.volume = "other"})).error(), Code::kCorrupt);
  EXPECT_EQ(world.run(restore_metadata(way.bucket, kv::make_mem_restore_target(), {.volume = "other"})).error(),
            Code::kCorrupt);
  EXPECT_TRUE(session.put("a", "1").ok());
}

}  // namespace
}  // namespace firn::tier
