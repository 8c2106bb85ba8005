// Opening a volume whose log has a gap: it is refused, or the state before the gap is taken.
#include <gtest/gtest.h>

#include "tier/metadata/check.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using testing::BucketWorld;
using testing::History;
using testing::kSecond;
using testing::kVolume;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

enum class Hurt : uint8_t { kGone, kHeader, kContent };

class Rewind : public ::testing::TestWithParam<Hurt> {
 protected:
  ~Rewind() override { way.reset(); }

  // Ten commits of a new volume, each in an object of its own.
  void write() {
    way.reset();
    world = std::make_unique<BucketWorld>(70);
    way = std::make_unique<Way>(*world);
    Session session(*world);
    ASSERT_TRUE(session.open().ok());
    first_ = session.shipper->status().next_log;
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(session.put("k" + std::to_string(i), "v").ok());
    world->run(session.shipper->close());
  }
  State first(int count) {
    State state;
    for (int i = 0; i < count; ++i) state["k" + std::to_string(i)] = "v";
    return state;
  }
  // Of the commit `which`.
  void hurt(int which) {
    const std::string name = log_key(first_ + static_cast<uint64_t>(which));
    if (GetParam() == Hurt::kGone) {
      ASSERT_TRUE(world->run(world->mem->remove(name, {})));
      return;
    }
    std::string bytes = world->run(object::get_all(*world->mem, name, 1 << 20, {})).value();
    bytes[GetParam() == Hurt::kHeader ? 20 : bytes.size() - 1] ^= 1;
    ASSERT_TRUE(world->mem->overwrite(name, std::move(bytes)));
  }
  // Whoever opens it is refused, and has changed nothing.
  void expect_refused(uint64_t place) {
    const auto before = world->mem->sizes();
    Session opener(*world);
    const Status refused = opener.open();
    EXPECT_EQ(refused, Code::kCorrupt);
    EXPECT_NE(refused.message().find(log_key(place)), std::string::npos) << refused.message();
    EXPECT_NE(refused.message().find("nothing was changed"), std::string::npos) << refused.message();
    EXPECT_EQ(world->mem->sizes(), before);
  }
  Result<Restored> restore(bool rewinds) {
    return world->run(
        restore_metadata(way->bucket, kv::make_mem_restore_target(), {.volume = kVolume, .rewinds = rewinds}));
  }

  std::unique_ptr<BucketWorld> world;
  std::unique_ptr<Way> way;
  uint64_t first_ = 0;
};

TEST_P(Rewind, ALogWithoutAGapIsTakenWhole) {
  write();
  const Result<Restored> restored = restore(true);
  ASSERT_TRUE(restored);
  EXPECT_TRUE(restored->given_up.ok());
  EXPECT_EQ(world->run(History::read(*restored->engine)), first(10));
}

TEST_P(Rewind, TheStateBeforeTheGapIsTakenWhenThatIsAskedFor) {
  for (const int which : {0, 3, 8}) {
    SCOPED_TRACE(which);
    write();
    hurt(which);
    const uint64_t place = first_ + static_cast<uint64_t>(which);
    expect_refused(place);
    const Result<Restored> refused = restore(false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Code::kCorrupt);
    EXPECT_NE(refused.error().message().find(log_key(place)), std::string::npos) << refused.error().message();
    const Result<Restored> restored = restore(true);
    ASSERT_TRUE(restored) << restored.error().to_string();
    EXPECT_EQ(restored->given_up, Code::kCorrupt);
    EXPECT_EQ(restored->position.next_log, place);
    EXPECT_EQ(world->run(History::read(*restored->engine)), first(which));
  }
}

// What it makes of that is what all others find.
TEST_P(Rewind, AWriterGoesOnFromThere) {
  write();
  hurt(4);
  {
    Session session(*world);
    session.rewinds = true;
    ASSERT_TRUE(session.open().ok());
    EXPECT_EQ(session.given_up, Code::kCorrupt);
    EXPECT_TRUE(world->run(session.shipper->ship_through(session.engine->last_version())));
    EXPECT_TRUE(session.release());
  }
  EXPECT_EQ(restored_state(*world), first(4));
  Session next(*world);
  ASSERT_TRUE(next.open().ok());
  EXPECT_TRUE(next.held.clean);
  ASSERT_TRUE(next.put("after", "1").ok());
  State right = first(4);
  right["after"] = "1";
  EXPECT_EQ(restored_state(*world), right);
}

TEST_P(Rewind, AWriterThatHasAllOfItIsLeftAlone) {
  write();
  Session living(*world);
  ASSERT_TRUE(living.open().ok());
  ASSERT_TRUE(living.put("more", "1").ok());
  hurt(4);
  expect_refused(first_ + 4);
  EXPECT_TRUE(living.put("still", "here").ok());
  EXPECT_TRUE(living.fenced.empty());
  ASSERT_TRUE(world->run(living.shipper->publish_root()));
  State right = first(10);
  right["more"] = "1";
  right["still"] = "here";
  EXPECT_EQ(restored_state(*world), right);
}

TEST_P(Rewind, WhatIsDamagedIsNoEndOfCollection) {
  write();
  hurt(4);
  Session session(*world);
  session.rewinds = true;
  ASSERT_TRUE(session.open({.root_log_objects = 3, .retention = {.keep_roots = 1, .grace_ns = 10 * kSecond}}).ok());
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(session.put("k" + std::to_string(i % 7), std::to_string(i)).ok());
    world->wait(5 * kSecond);
  }
  EXPECT_LT(testing::count(*world, "log/"), 15u);
}

TEST(Opening, AHoleAsWideAsManyLossesIsOne) {
  BucketWorld world(71);
  Session living(world);
  ASSERT_TRUE(living.open().ok());
  const uint64_t first = living.shipper->status().next_log;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(living.put("k", std::to_string(i)).ok());
  for (uint64_t place = first + 10; place < first + 40; ++place)
    ASSERT_TRUE(world.run(world.mem->remove(log_key(place), {})));
  Session opener(world);
  const Status refused = opener.open();
  EXPECT_EQ(refused, Code::kCorrupt);
  EXPECT_NE(refused.message().find(log_key(first + 10)), std::string::npos) << refused.message();
  EXPECT_TRUE(living.put("k", "60").ok());
}

// Who wrote it knows how far it goes.
TEST(Opening, AScrubMissesEvenTheLastOfTheLog) {
  BucketWorld world(73);
  Way way(world);
  Session living(world);
  ASSERT_TRUE(living.open().ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(living.put("k", std::to_string(i)).ok());
  const uint64_t end = living.shipper->status().next_log;
  ASSERT_TRUE(world.run(world.mem->remove(log_key(end - 1), {})));
  EXPECT_TRUE(world.run(check_metadata(way.bucket, {}, nullptr))->clean());
  const auto report = world.run(check_metadata(way.bucket, {.log_end = end}, nullptr));
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].object, log_key(end - 1));
}

// Its writer had ended before the root came that was to make good what is missing.
TEST(Opening, WhatIsPutBehindABreakWithoutARootIsKept) {
  BucketWorld world(72);
  Way way(world);
  {
    Session session(world);
    ASSERT_TRUE(session.open().ok());
    ASSERT_TRUE(session.put("a", "1").ok());
    ASSERT_TRUE(session.release());
  }
  const auto break_off = [&]() -> Task<Status> {
    const Writership held = CO_TRY(co_await take_over(way.bucket, {.volume = kVolume}));
    LogWriter log(way.bucket, held, kSecond, nullptr);
    CO_TRY(co_await log.put(co_await log.prepare(LogKind::kBreak, {}), nullptr));
    co_return Status();
  };
  ASSERT_TRUE(world.run(break_off()).ok());
  {
    Session session(world);
    ASSERT_TRUE(session.open().ok());
    EXPECT_TRUE(session.given_up.ok());
    ASSERT_TRUE(session.put("b", "2").ok());
    ASSERT_TRUE(session.release());
  }
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}}));
}

// Nothing is behind it: nothing says that there was more.
TEST_P(Rewind, WhatIsGoneAtTheEndIsNoGap) {
  if (GetParam() != Hurt::kGone) return;
  write();
  hurt(9);
  EXPECT_EQ(restored_state(*world), first(9));
}

INSTANTIATE_TEST_SUITE_P(Each, Rewind, ::testing::Values(Hurt::kGone, Hurt::kHeader, Hurt::kContent));

}  // namespace
}  // namespace firn::tier
