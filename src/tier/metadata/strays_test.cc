// A store that has forgotten the log's last objects, and a writer that is taken over and goes on behind its successor's
// fence: what it puts there is a stray, which nobody takes for a part of the log.
#include <gtest/gtest.h>

#include "io/test_environment.h"
#include "tier/metadata/check.h"
#include "tier/metadata/follower.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using testing::BucketWorld;
using testing::kSecond;
using testing::kVolume;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

class Strays : public ::testing::Test {
 protected:
  Strays() : world(50), former(world), successor(world) {}

  // The former writer has put so much, and the store has forgotten the last of it.
  void begin(int objects, uint64_t forgotten, ShipOptions options = {}) {
    ASSERT_TRUE(former.open(std::move(options)).ok());
    for (int i = 0; i < objects; ++i) ASSERT_TRUE(former.put("k" + std::to_string(i), "1").ok());
    forget(former.shipper->status().next_log - forgotten, forgotten);
  }
  void forget(uint64_t first, uint64_t count) {
    for (uint64_t place = first; place < first + count; ++place)
      ASSERT_TRUE(world.run(world.mem->remove(log_key(place), {})));
  }
  MetadataReport check() {
    Way way(world);
    const auto report = world.run(check_metadata(way.bucket, {}, nullptr));
    EXPECT_TRUE(report) << report.error().to_string();
    return report ? *report : MetadataReport();
  }
  State state_of(Session& session) { return world.run(testing::History::read(*session.engine)); }

  BucketWorld world;
  Session former, successor;
};

TEST_F(Strays, ASuccessorPassesThemOverAndGoesOn) {
  begin(3, 1);
  ASSERT_TRUE(successor.open().ok());
  ASSERT_EQ(successor.held.fence + 1, former.shipper->status().next_log);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(former.put("stray", std::to_string(i)).ok());
  EXPECT_EQ(restored_state(world), (State{{"k0", "1"}, {"k1", "1"}}));
  EXPECT_TRUE(world.run(successor.shipper->lease().wait()));
  ASSERT_TRUE(successor.put("b", "2").ok());
  EXPECT_TRUE(successor.fenced.empty());
  EXPECT_EQ(former.put("stray", "x"), Code::kNotPermitted);
  const State right{{"b", "2"}, {"k0", "1"}, {"k1", "1"}};
  EXPECT_EQ(restored_state(world), right);
  EXPECT_TRUE(check().clean());
  ASSERT_TRUE(successor.release());
  EXPECT_TRUE(world.run(is_released(successor.way.bucket)).value());
  Session third(world);
  ASSERT_TRUE(third.open().ok());
  EXPECT_TRUE(third.held.clean);
  EXPECT_EQ(state_of(third), right);
}

TEST_F(Strays, ARootBeforeThemDoesNotBringThemBack) {
  begin(2, 1);
  ASSERT_TRUE(successor.open().ok());
  ASSERT_TRUE(successor.put("b", "2").ok());
  ASSERT_TRUE(world.run(successor.shipper->publish_root()));
  // The former writer's next place is the successor's by now: as if that had been forgotten as well.
  forget(former.shipper->status().next_log, 1);
  ASSERT_TRUE(former.put("stray", "1").ok());
  ASSERT_TRUE(former.put("stray", "2").ok());
  const State right{{"b", "2"}, {"k0", "1"}};
  EXPECT_EQ(restored_state(world), right);
  ASSERT_TRUE(successor.put("b", "3").ok());
  EXPECT_TRUE(check().clean());
  world.run(successor.shipper->close());
  Session third(world);
  ASSERT_TRUE(third.open().ok());
  EXPECT_FALSE(third.held.clean);
  EXPECT_EQ(state_of(third), (State{{"b", "3"}, {"k0", "1"}}));
}

// A release among them is a former writer's, and says nothing of the one who has the volume.
TEST_F(Strays, ReleaseNothing) {
  begin(2, 1);
  ASSERT_TRUE(successor.open().ok());
  ASSERT_TRUE(former.release());
  EXPECT_FALSE(world.run(is_released(successor.way.bucket)).value());
  Session third(world);
  ASSERT_TRUE(third.open().ok());
  EXPECT_FALSE(third.held.clean);
  EXPECT_EQ(state_of(third), (State{{"k0", "1"}}));
}

// Two objects are forgotten, and the successor has put nothing where the second was.
TEST_F(Strays, BehindAHoleAreBehindTheEnd) {
  for (int strays = 1; strays < 40; strays += 6) {
    SCOPED_TRACE(strays);
    BucketWorld other(static_cast<uint64_t>(strays));
    Session first(other), second(other), third(other);
    ASSERT_TRUE(first.open().ok());
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(first.put("k", std::to_string(i)).ok());
    const uint64_t next = first.shipper->status().next_log;
    for (uint64_t place = next - 2; place < next; ++place)
      ASSERT_TRUE(other.run(other.mem->remove(log_key(place), {})));
    ASSERT_TRUE(second.open().ok());
    for (int i = 0; i < strays; ++i) ASSERT_TRUE(first.put("stray", std::to_string(i)).ok());
    EXPECT_EQ(restored_state(other), (State{{"k", "3"}}));
    Way way(other);
    EXPECT_TRUE(other.run(check_metadata(way.bucket, {}, nullptr)).value().clean());
    ASSERT_TRUE(third.open().ok());
    EXPECT_EQ(third.held.fence, second.held.fence + 1);
    ASSERT_TRUE(third.put("c", "1").ok());
    EXPECT_EQ(second.put("b", "1"), Code::kNotPermitted);
    EXPECT_EQ(restored_state(other), (State{{"c", "1"}, {"k", "3"}}));
    EXPECT_TRUE(other.run(check_metadata(way.bucket, {}, nullptr)).value().clean());
  }
}

// What was acknowledged before the take-over is not passed over because something before it is gone.
TEST_F(Strays, AreNotWhatStandsBehindAHoleWhenItIsTakenOver) {
  for (const uint64_t hole : {1U, 4U, 8U})
    for (int objects = 10; objects < 14; ++objects) {
      SCOPED_TRACE(objects);
      SCOPED_TRACE(hole);
      BucketWorld other(static_cast<uint64_t>(objects));
      Session first(other), second(other);
      ASSERT_TRUE(first.open().ok());
      for (int i = 0; i < objects; ++i) ASSERT_TRUE(first.put("k", std::to_string(i)).ok());
      const uint64_t gone = first.shipper->status().next_log - 1 - hole;
      for (uint64_t place = gone; place < gone + hole; ++place)
        ASSERT_TRUE(other.run(other.mem->remove(log_key(place), {})));
      const Status refused = second.open();
      EXPECT_EQ(refused, Code::kCorrupt) << refused.to_string();
      EXPECT_NE(refused.message().find("the log has a hole: " + log_key(gone)), std::string::npos) << refused.message();
    }
}

// It has applied what the store has forgotten since, and stands behind the fence.
TEST_F(Strays, AFollowerThatIsBehindTheFenceStartsOver) {
  for (const bool goes_on : {false, true}) {
    SCOPED_TRACE(goes_on);
    BucketWorld other(60);
    Session first(other), second(other);
    ASSERT_TRUE(first.open().ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(first.put("k", std::to_string(i)).ok());
    Way way(other);
    MetadataFollower follower(way.bucket, [] { return kv::make_mem_restore_target(); },
                              {.root_check_ns = 30 * kSecond});
    ASSERT_TRUE(other.run(follower.open()));
    ASSERT_TRUE(other.run(other.mem->remove(log_key(first.shipper->status().next_log - 1), {})));
    ASSERT_TRUE(second.open().ok());
    ASSERT_TRUE(first.put("stray", "1").ok());
    State right{{"k", "1"}};
    if (goes_on) {
      ASSERT_TRUE(second.put("b", "2").ok());
      right["b"] = "2";
    }
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(other.run(follower.poll()));
      other.wait(40 * kSecond);
    }
    ASSERT_TRUE(other.run(follower.poll()));
    EXPECT_EQ(other.run(testing::History::read(follower.engine())), right);
  }
}

}  // namespace
}  // namespace firn::tier
