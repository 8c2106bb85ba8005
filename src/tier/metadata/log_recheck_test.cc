// A log whose objects are asked for soon after those who wait for them were told: what the store has forgotten is put
// again.
#include "tier/metadata/log_recheck.h"

#include <gtest/gtest.h>

#include "tier/metadata/log_end.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using testing::BucketWorld;
using testing::kSecond;
using testing::restored_state;
using testing::Session;
using testing::State;

const ShipOptions kSoon{.asks_after = AskAfter::kSoon};

class Recheck : public ::testing::Test {
 protected:
  Recheck() : world(60), session(world) {}

  void forget(double probability) {
    session.way.faulty->set_faults(
        {.forgotten = probability, .may_forget = [](std::string_view key) { return key.starts_with(kLogPrefix); }});
  }
  void forget_place(uint64_t place) { ASSERT_TRUE(world.run(world.mem->remove(log_key(place), {}))); }
  bool has(uint64_t place) { return world.mem->sizes().contains(log_key(place)); }
  uint64_t last_place() { return session.shipper->status().next_log - 1; }

  BucketWorld world;
  Session session;
};

TEST_F(Recheck, WhatTheStoreOnlySaidToHaveStoredIsPutAgain) {
  ASSERT_TRUE(session.open(kSoon).ok());
  forget(1);
  ASSERT_TRUE(session.put("a", "1").ok());
  ASSERT_FALSE(has(last_place()));
  forget(0);
  ASSERT_TRUE(session.put("b", "2").ok());
  world.wait(2 * kSecond);
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}}));
  EXPECT_TRUE(session.fenced.empty());
}

TEST_F(Recheck, SoIsWhatIsThereInPart) {
  ASSERT_TRUE(session.open(kSoon).ok());
  ASSERT_TRUE(session.put("a", "1").ok());
  const std::string name = log_key(last_place());
  const std::string whole = world.run(object::get_all(*world.mem, name, 1 << 20, {})).value();
  ASSERT_TRUE(world.mem->overwrite(name, whole.substr(0, whole.size() - 3)));
  world.wait(2 * kSecond);
  EXPECT_EQ(world.run(object::get_all(*world.mem, name, 1 << 20, {})).value(), whole);
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}}));
}

TEST_F(Recheck, AlsoWhileManyCome) {
  ASSERT_TRUE(session.open(kSoon).ok());
  forget(0.3);
  State all;
  for (int i = 0; i < 500; ++i) {
    all["k" + std::to_string(i)] = "v";
    ASSERT_TRUE(session.put("k" + std::to_string(i), "v").ok());
  }
  // What is put again is looked at before it counts, and forgotten too, now and then.
  world.wait(30 * kSecond);
  EXPECT_EQ(restored_state(world), all);
}

// What a release waits for.
TEST_F(Recheck, BeforeTheVolumeIsReleased) {
  ASSERT_TRUE(session.open(kSoon).ok());
  forget(0.5);
  State all;
  for (int i = 0; i < 10; ++i) {
    all["k" + std::to_string(i)] = "v";
    ASSERT_TRUE(session.put("k" + std::to_string(i), "v").ok());
  }
  ASSERT_TRUE(session.release());
  EXPECT_EQ(restored_state(world), all);
  EXPECT_TRUE(world.run(is_released(session.way.bucket)).value());
}

TEST_F(Recheck, IsOneRequestForEachObjectAndNoneWithoutOne) {
  const auto requests = [&](AskAfter asks) {
    BucketWorld other(61);
    Session one(other);
    EXPECT_TRUE(one.open({.asks_after = asks, .keep_lease = false}).ok());
    const uint64_t before = one.requests();
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(one.put("k", std::to_string(i)).ok());
    other.wait(3600 * kSecond);
    return one.requests() - before;
  };
  EXPECT_EQ(requests(AskAfter::kNever), 100u);
  EXPECT_EQ(requests(AskAfter::kSoon), 200u);
}

TEST_F(Recheck, WhatARootDoesWithoutIsNotAskedFor) {
  ASSERT_TRUE(session.open(kSoon).ok());
  ASSERT_TRUE(session.put("a", "1").ok());
  const uint64_t place = last_place();
  ASSERT_TRUE(world.run(session.shipper->publish_root()));
  forget_place(place);
  world.wait(5 * kSecond);
  EXPECT_FALSE(has(place));
}

TEST_F(Recheck, ASuccessorsFenceInThePlaceIsNoticed) {
  ASSERT_TRUE(session.open({.asks_after = AskAfter::kSoon, .keep_lease = false}).ok());
  ASSERT_TRUE(session.put("a", "1").ok());
  forget_place(last_place());
  Session successor(world);
  ASSERT_TRUE(successor.open().ok());
  world.wait(5 * kSecond);
  EXPECT_EQ(session.fenced.size(), 1u);
  EXPECT_EQ(restored_state(world), State());
}

// Readers would pass it over, as if nothing had been there.
TEST_F(Recheck, AStrayInThePlaceIsMadeGoodByARoot) {
  Session before(world);
  ASSERT_TRUE(before.open().ok());
  ASSERT_TRUE(before.release());
  ASSERT_TRUE(session.open(kSoon).ok());
  ASSERT_TRUE(session.put("a", "1").ok());
  const uint64_t place = last_place();
  forget_place(place);
  const Envelope stray{.type = ObjectType::kLog,
                       .kind = LogKind::kBatches,
                       .epoch = before.held.epoch,
                       .number = place,
                       .writer = before.held.writer};
  object::Content content = make_object(stray, log_key(place), {}, Codec::kStored, std::nullopt);
  ASSERT_TRUE(world.run(world.mem->put(log_key(place), std::move(content), {}, {})));
  const uint64_t root = session.shipper->status().root;
  ASSERT_TRUE(session.put("b", "2").ok());
  EXPECT_EQ(restored_state(world), (State{{"b", "2"}}));
  world.wait(5 * kSecond);
  EXPECT_GT(session.shipper->status().root, root);
  ASSERT_TRUE(session.put("c", "3").ok());
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

TEST_F(Recheck, OneThatIsDamagedIsMadeGoodByARoot) {
  ASSERT_TRUE(session.open(kSoon).ok());
  ASSERT_TRUE(session.put("a", "1").ok());
  const std::string name = log_key(last_place());
  std::string bytes = world.run(object::get_all(*world.mem, name, 1 << 20, {})).value();
  bytes[20] ^= 1;
  ASSERT_TRUE(world.mem->overwrite(name, bytes));
  world.wait(5 * kSecond);
  ASSERT_TRUE(session.put("b", "2").ok());
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}}));
}

}  // namespace
}  // namespace firn::tier
