// A log with a gap: where it is, and the state before it.
#include <gtest/gtest.h>

#include "tier/metadata/log_end.h"
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
  std::optional<uint64_t> gap() { return world->run(find_log_gap(way->bucket, 0, nullptr)).value(); }
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
  EXPECT_EQ(gap(), std::nullopt);
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
    if (GetParam() != Hurt::kContent) EXPECT_EQ(gap(), place);
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
  const auto go_on = [&]() -> Task<Status> {
    const Writership held = CO_TRY(co_await take_over(way->bucket, {.volume = kVolume}));
    Restored restored = CO_TRY(
        co_await restore_metadata(way->bucket, kv::make_mem_restore_target(), {.volume = kVolume, .rewinds = true}));
    kv::ShippingSource& source = *restored.engine->shipping();
    MetadataShipper shipper(way->bucket, held, {.keep_lease = false});
    ShippedEngine engine(std::move(restored.engine), shipper);
    shipper.start(source, StartFrom::kDatabase);
    const Result<void> shipped = co_await shipper.ship_through(engine.last_version());
    const Result<void> released = co_await shipper.release(60 * kSecond);
    CO_TRY(shipped);
    CO_TRY(released);
    co_return Status();
  };
  ASSERT_TRUE(world->run(go_on()).ok());
  EXPECT_EQ(gap(), std::nullopt);
  EXPECT_EQ(restored_state(*world), first(4));
  Session next(*world);
  ASSERT_TRUE(next.open().ok());
  EXPECT_TRUE(next.held.clean);
  ASSERT_TRUE(next.put("after", "1").ok());
  State right = first(4);
  right["after"] = "1";
  EXPECT_EQ(restored_state(*world), right);
}

// Nothing is behind it: nothing says that there was more.
TEST_P(Rewind, WhatIsGoneAtTheEndIsNoGap) {
  if (GetParam() != Hurt::kGone) return;
  write();
  hurt(9);
  EXPECT_EQ(gap(), std::nullopt);
  EXPECT_EQ(restored_state(*world), first(9));
}

INSTANTIATE_TEST_SUITE_P(Each, Rewind, ::testing::Values(Hurt::kGone, Hurt::kHeader, Hurt::kContent));

}  // namespace
}  // namespace firn::tier
