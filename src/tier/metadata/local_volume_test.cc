// Volumes whose truth is a local database, which the bucket follows; and followers of the bucket.
#include <gtest/gtest.h>

#include "tier/metadata/follower.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using testing::BucketWorld;
using testing::count;
using testing::kSecond;
using testing::Local;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

TEST(LocalVolume, TheBucketFollowsIt) {
  BucketWorld world(20);
  Local local(world);
  local.put("before", "1");
  ASSERT_TRUE(local.start().ok());
  ASSERT_TRUE(local.ship());
  EXPECT_EQ(restored_state(world), local.state());
  local.put("after", "2");
  ASSERT_TRUE(local.ship());
  EXPECT_EQ(restored_state(world), local.state());
  local.stop();
  local.put("unseen", "3");  // nobody ships now
  ASSERT_TRUE(local.start().ok());
  local.put("seen", "4");
  ASSERT_TRUE(local.ship());
  EXPECT_EQ(restored_state(world), local.state());
  ASSERT_TRUE(world.run(local.shipper->release(60 * kSecond)));
  EXPECT_EQ(restored_state(world), local.state());
}

TEST(LocalVolume, TablesThatTheBucketHasAreNotSentAgain) {
  BucketWorld world(21);
  Local local(world);
  for (int i = 0; i < 50; ++i) local.put("k" + std::to_string(i), std::string(200, 'v'));
  ASSERT_TRUE(local.start().ok());
  ASSERT_TRUE(local.ship());
  const size_t tables = count(world, "sst/");
  EXPECT_GT(tables, 0u);
  for (int round = 0; round < 3; ++round) {
    local.stop();
    ASSERT_TRUE(local.start().ok());
    ASSERT_TRUE(local.ship());
    ASSERT_TRUE(world.run(local.shipper->publish_root()));
  }
  EXPECT_EQ(count(world, "sst/"), tables);
  local.put("k1", "changed");  // one table is another now
  ASSERT_TRUE(world.run(local.shipper->publish_root()));
  EXPECT_EQ(count(world, "sst/"), tables + 1);
  EXPECT_EQ(restored_state(world), local.state());
}

TEST(LocalVolume, AfterALongOutageARootMakesGoodWhatWasDropped) {
  BucketWorld world(22);
  Local local(world);
  ASSERT_TRUE(local.start({.queue_bytes = 2000}).ok());
  local.put("a", "1");
  ASSERT_TRUE(local.ship());
  // Somebody follows meanwhile.
  Way way(world);
  MetadataFollower follower(way.bucket, [] { return kv::make_mem_restore_target(); }, {});
  ASSERT_TRUE(world.run(follower.open()));
  const auto followed = [&] {
    EXPECT_TRUE(world.run(follower.poll()));
    return world.run(testing::History::read(follower.engine()));
  };
  EXPECT_EQ(followed(), local.state());
  local.way->faulty->set_down(true);
  for (int i = 0; i < 100; ++i) {
    local.put("k" + std::to_string(i % 10), std::string(100, 'v'));
    world.wait(kSecond);
  }
  EXPECT_EQ(followed().size(), 1u);
  local.way->faulty->set_down(false);
  ASSERT_TRUE(local.ship());
  EXPECT_EQ(restored_state(world), local.state());
  EXPECT_EQ(followed(), local.state());
  local.put("b", "2");
  ASSERT_TRUE(local.ship());
  EXPECT_EQ(followed(), local.state());
}

// The log goes on, and says that commits are missing from it: only a root makes good for them.
TEST(LocalVolume, WhoeverWaitsForARootThatCannotBePutIsTold) {
  BucketWorld world(24);
  Local local(world);
  local.put("a", "1");
  ASSERT_TRUE(local.start({.ack_timeout_ns = 10 * kSecond}).ok());
  local.way->faulty->set_faults(
      {.forgotten = 1, .may_forget = [](std::string_view key) { return key.starts_with("root/"); }});
  for (int i = 0; i < 3; ++i) {
    local.put("a", std::to_string(i));
    const int64_t begun = world.now();
    const Result<void> shipped = local.ship();
    EXPECT_LE(world.now() - begun, 25 * kSecond);
    ASSERT_FALSE(shipped);
    EXPECT_EQ(shipped.error(), Code::kIo);
    EXPECT_NE(shipped.error().message().find("does not have it"), std::string::npos) << shipped.error().message();
    EXPECT_EQ(local.shipper->status().last_failure, Code::kIo);
    world.wait(30 * kSecond);
  }
  local.way->faulty->set_faults({});
  world.wait(20 * kSecond);
  EXPECT_TRUE(local.ship());
  EXPECT_TRUE(local.shipper->status().last_failure.ok());
  EXPECT_EQ(restored_state(world), local.state());
}

TEST(LocalVolume, ACopyThatWasRestoredElsewhereIsNotOverwritten) {
  BucketWorld world(23);
  Local here(world), there(world);
  ASSERT_TRUE(here.start().ok());
  here.put("a", "1");
  ASSERT_TRUE(here.ship());
  here.stop();
  ASSERT_TRUE(there.start().ok());  // as after a restore to another place
  there.put("b", "2");
  ASSERT_TRUE(there.ship());
  const Status refused = here.start({}, /*from_others=*/false);
  EXPECT_EQ(refused, Code::kNotPermitted) << refused.to_string();
  EXPECT_NE(refused.message().find("another copy"), std::string::npos) << refused.message();
  there.stop();
  EXPECT_TRUE(there.start({}, false).ok());
  there.put("c", "3");
  ASSERT_TRUE(there.ship());
  EXPECT_EQ(restored_state(world), there.state());
}

// One bit of the newest root.
uint64_t hurt_newest_root(BucketWorld& world, bool its_header) {
  const Way way(world);
  const uint64_t newest = world.run(newest_root(way.bucket, 0, nullptr)).value();
  const std::string name = root_key(newest);
  std::string content = world.run(object::get_all(*world.mem, name, 1 << 20, {})).value();
  content[its_header ? 20 : content.size() - 5] ^= 4;
  world.mem->overwrite(name, content);
  return newest;
}

TEST(LocalVolume, ANewestRootThatIsDamagedIsFollowedByAWholeOne) {
  BucketWorld world(25);
  Local local(world);
  const ShipOptions options{.retention = {.keep_roots = 1, .grace_ns = 10 * kSecond}};
  for (int round = 0; round < 6; ++round) {
    ASSERT_TRUE(local.start(options, /*from_others=*/false).ok());
    EXPECT_EQ(local.damaged_root.code(), round == 0 ? Code::kOk : Code::kCorrupt);
    for (int i = 0; i < 4; ++i) {
      local.put("k" + std::to_string(i), std::string(300, static_cast<char>('a' + round)));
      if (round % 2 == 0) ASSERT_TRUE(world.run(local.shipper->publish_root()));
    }
    ASSERT_TRUE(local.ship());
    EXPECT_EQ(restored_state(world), local.state());
    world.wait(30 * kSecond);
    ASSERT_TRUE(world.run(local.shipper->publish_root()));
    ASSERT_TRUE(world.run(local.shipper->collect()));
    EXPECT_EQ(restored_state(world), local.state());
    EXPECT_LE(count(world, "sst/"), 12u);  // what the damaged one named as well does not stay for ever
    local.stop();
    local.put("unseen", std::to_string(round));
    hurt_newest_root(world, false);
  }
}

TEST(LocalVolume, ANewestRootThatIsDamagedMayBeAnothersAndIsThenNotPassedOver) {
  const auto serve = [](Local& local) {
    local.put("a", "1");
    ASSERT_TRUE(local.start().ok());
    ASSERT_TRUE(local.ship());
    local.stop();
  };
  {
    BucketWorld world(26);  // it does not say whose it is
    Local here(world);
    serve(here);
    hurt_newest_root(world, true);
    EXPECT_EQ(here.start({}, false), Code::kCorrupt);
  }
  {
    BucketWorld world(27);  // its writer's first: nothing says which database that had
    Local here(world);
    serve(here);
    Way way(world);
    ASSERT_TRUE(world.run(take_over(way.bucket, {.volume = testing::kVolume})));
    hurt_newest_root(world, false);
    EXPECT_EQ(here.start({}, false), Code::kCorrupt);
  }
  {
    BucketWorld world(28);  // another copy's
    Local here(world), there(world);
    serve(here);
    serve(there);
    const uint64_t newest = hurt_newest_root(world, false);
    EXPECT_EQ(here.start({}, false), Code::kNotPermitted);
    EXPECT_EQ(world.run(newest_root(here.way->bucket, 0, nullptr)).value(), newest);
    EXPECT_TRUE(there.start({}, false).ok());
  }
}

TEST(Follower, SeesCommitsAndSurvivesCollectedLogs) {
  BucketWorld world(30);
  Session session(world);
  ASSERT_TRUE(session.open({.root_log_objects = 4, .retention = {.keep_roots = 1, .grace_ns = 5 * kSecond}}).ok());
  ASSERT_TRUE(session.put("a", "1").ok());
  Way way(world);
  int replaced = 0, applied = 0;
  MetadataFollower follower(way.bucket, [] { return kv::make_mem_restore_target(); },
                            {.root_check_ns = 30 * kSecond,
                             .on_applied = [&](std::string_view payload) { applied += !payload.empty(); },
                             .on_replaced = [&] { ++replaced; }});
  ASSERT_TRUE(world.run(follower.open()));
  EXPECT_EQ(replaced, 1);
  const auto look = [&] { return world.run(testing::History::read(follower.engine())); };
  EXPECT_EQ(look(), (State{{"a", "1"}}));
  ASSERT_TRUE(session.put("b", "2").ok());
  ASSERT_TRUE(world.run(follower.poll()));
  EXPECT_EQ(look(), (State{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(applied, 1);
  const auto old = follower.engine().begin();  // keeps what it began with, whatever comes
  EXPECT_EQ(world.run(old->get("b", kv::Isolation::kSnapshot)).value(), "2");
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(session.put("b", std::to_string(i)).ok());
    world.wait(3 * kSecond);
  }
  ASSERT_TRUE(world.run(follower.poll()));
  EXPECT_EQ(look(), (State{{"a", "1"}, {"b", "39"}}));
  EXPECT_EQ(replaced, 2);
  EXPECT_EQ(world.run(old->get("b", kv::Isolation::kSnapshot)).value(), "2");
  const auto writing = follower.engine().begin();
  writing->put("x", "y");
  EXPECT_EQ(world.run(writing->commit()).error(), Code::kReadOnly);
}

// Everything is read anew when the log has been removed meanwhile; `places` are those that are there.
class Rereading {
 public:
  Rereading() {
    EXPECT_TRUE(session_.open({.root_log_objects = 4, .retention = {.keep_roots = 1, .grace_ns = 5 * kSecond}}).ok());
    EXPECT_TRUE(session_.put("a", "1").ok());
    EXPECT_TRUE(world.run(follower.open()));
  }
  void fall_behind() {
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(session_.put("b", std::to_string(++written_)).ok());
      world.wait(3 * kSecond);
    }
  }
  FollowTarget make_target() {
    ++made;
    ++places;
    std::shared_ptr<void> place(nullptr, [this](void*) { --places; });
    if (!full) return {kv::make_mem_restore_target(), std::move(place)};
    return {std::make_unique<FullDisk>(), std::move(place)};
  }
  std::string newest() const { return std::to_string(written_); }

  struct FullDisk final : kv::RestoreTarget {
    Task<Result<void>> append(std::string, std::string) override { co_return fail(Code::kNoSpace); }
    Task<Result<std::unique_ptr<kv::Engine>>> finish(std::string) override { co_return fail(Code::kNoSpace); }
  };

  BucketWorld world{31};
  bool full = false;
  int made = 0, places = 0;

 private:
  Session session_{world};
  Way way_{world};
  int written_ = 0;

 public:
  MetadataFollower follower{way_.bucket, [this] { return make_target(); }, {.root_check_ns = 60 * kSecond}};
};

TEST(Follower, AFormerStateGoesWithItsLastReader) {
  Rereading test;
  auto old = test.follower.engine().begin();
  EXPECT_EQ(test.world.run(old->get("a", kv::Isolation::kSnapshot)).value(), "1");
  test.fall_behind();
  ASSERT_TRUE(test.world.run(test.follower.poll()));
  EXPECT_EQ(test.places, 2);
  EXPECT_EQ(test.world.run(old->get("a", kv::Isolation::kSnapshot)).value(), "1");
  old.reset();
  EXPECT_EQ(test.places, 1);
  EXPECT_TRUE(test.world.run(test.follower.engine().close()));
  EXPECT_EQ(test.places, 0);
}

TEST(Follower, OnAFullDiskItLeavesNothingAndGoesOnOnceThereIsRoom) {
  Rereading test;
  test.fall_behind();
  test.full = true;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(test.world.run(test.follower.poll()).error(), Code::kNoSpace);
    EXPECT_EQ(test.places, 1);
    test.world.wait(2 * kSecond);
  }
  EXPECT_LT(test.made, 20);  // each reads all that the bucket has
  EXPECT_GT(test.made, 8);
  test.full = false;
  Result<void> polled;
  for (int i = 0; i < 32; ++i, test.world.wait(2 * kSecond)) polled = test.world.run(test.follower.poll());
  ASSERT_TRUE(polled);
  EXPECT_EQ(test.places, 1);
  EXPECT_EQ(test.world.run(testing::History::read(test.follower.engine())), (State{{"a", "1"}, {"b", test.newest()}}));
}

}  // namespace
}  // namespace firn::tier
