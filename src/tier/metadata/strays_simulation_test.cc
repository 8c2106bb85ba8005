// A store that forgets the log's last objects while their writer lives, and who takes over then: under simulated time,
// by a seed. FIRN_SEEDS=N for a soak, FIRN_SEED=N for one.
#include <gtest/gtest.h>

#include <map>

#include "base/testing/seeds.h"
#include "io/test_environment.h"
#include "tier/metadata/check.h"
#include "tier/metadata/follower.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using object::testing::Faults;
using testing::BucketWorld;
using testing::kSecond;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

constexpr int64_t kHeartbeatNs = 20 * kSecond;

class Life {
 public:
  explicit Life(uint64_t seed) : world_(seed) {}

  void live() {
    Session& first = add();
    // Its roots hold nothing of what is forgotten: followers of an earlier one could not know of that.
    ASSERT_TRUE(open(first, 1000));
    for (uint64_t count = 1 + below(12); count > 0; --count) put(first);
    if (below(4) == 0) ASSERT_TRUE(world_.run(first.shipper->publish_root()));
    for (uint64_t count = below(4); count > 0; --count) put(first);
    if (below(2) == 0) follow();
    forget(first);
    if (below(2) == 0) follow();
    // One after another takes over, with no more losses. (Had the first one gone on before, there would be a hole.)
    for (uint64_t count = 1 + below(3); count > 0; --count) {
      Session& next = add();
      ASSERT_TRUE(open(next, 2 + below(30)));
      expect_kept(next);
      if (sessions_.size() == 2) world_.run(begin(&first, 1));
      world_.run(begin(&next, sessions_.size()));
      world_.wait(static_cast<int64_t>(below(30) * kSecond / 4));
    }
    Session& last = *sessions_.back();
    world_.wait(3 * kHeartbeatNs);
    stop_ = true;
    world_.run(writers_.close());
    for (const auto& session : sessions_) {
      EXPECT_EQ(session->fenced.size(), session.get() == &last ? 0u : 1u)
          << "epoch " << session->held.epoch << " of " << sessions_.size();
    }
    judge(last);
  }

 private:
  uint64_t below(uint64_t limit) { return world_.random.below(limit); }

  Session& add() {
    const Faults slow{.min_latency_ns = kSecond / 1000, .max_latency_ns = static_cast<int64_t>(1 + below(kSecond / 2))};
    sessions_.push_back(std::make_unique<Session>(world_, slow));
    return *sessions_.back();
  }
  bool open(Session& session, uint64_t root_log_objects) {
    const Status opened = session.open({.flush_interval_ns = kSecond / 10,
                                        .root_log_objects = root_log_objects,
                                        .retention = {.keep_roots = 1, .grace_ns = 3 * kHeartbeatNs},
                                        .heartbeat_ns = kHeartbeatNs});
    EXPECT_TRUE(opened.ok()) << opened.to_string();
    return opened.ok();
  }

  // One commit, one object of the log.
  void put(Session& session) {
    const std::string key = "first" + std::to_string(kept_.size());
    ASSERT_TRUE(session.put(key, "1").ok());
    kept_[key] = session.shipper->status().next_log - 1;
  }
  // The last objects of the log, its fence perhaps among them; and what was committed with them.
  void forget(Session& session) {
    const uint64_t next = session.shipper->status().next_log;
    const uint64_t from = next - std::min(next - 1, 1 + below(3));
    for (uint64_t place = from; place < next; ++place) ASSERT_TRUE(world_.run(world_.mem->remove(log_key(place), {})));
    std::erase_if(kept_, [&](const auto& key) { return key.second >= from; });
  }

  Task<void> begin(Session* session, size_t writer) {
    io::detach(write(session, writer, writers_.enter()));
    co_return;
  }
  // It may never learn that it is not the writer before its heartbeat says so. What the first one writes from here on
  // is therefore not certain to stay; what the others write is.
  Task<void> write(Session* session, size_t writer, io::Gate::Entry) {
    const uint64_t idle = below(3) == 0 ? 60 : below(3);
    co_await io::sleep_for(static_cast<int64_t>(below(idle * kSecond + 1)));
    for (int i = 0; !stop_ && !session->shipper->is_fenced(); ++i) {
      const std::string key = "w" + std::to_string(writer) + "-" + std::to_string(i);
      const auto transaction = session->engine->begin();
      transaction->put(key, "1");
      const Result<kv::Version> version = co_await transaction->commit();
      if (!version) break;
      if (co_await session->engine->sync(*version) && writer > 1) kept_[key] = 0;
      const uint64_t pause = below(4) == 0 ? 10 * kSecond : kSecond / 10;
      co_await io::sleep_for(static_cast<int64_t>(below(pause)));
    }
  }

  void follow() {
    ways_.push_back(std::make_unique<Way>(world_));
    followers_.push_back(std::make_unique<MetadataFollower>(
        ways_.back()->bucket, [] { return kv::make_mem_restore_target(); },
        FollowOptions{.root_check_ns = 10 * kSecond}));
    ASSERT_TRUE(world_.run(followers_.back()->open()));
    if (below(2) == 0) world_.run(begin_polling(followers_.back().get()));
  }
  Task<void> begin_polling(MetadataFollower* follower) {
    io::detach(poll(follower, writers_.enter()));
    co_return;
  }
  Task<void> poll(MetadataFollower* follower, io::Gate::Entry) {
    while (!stop_) {
      const Result<void> polled = co_await follower->poll();
      EXPECT_TRUE(polled) << polled.error().to_string();
      co_await io::sleep_for(static_cast<int64_t>(below(5 * kSecond)));
    }
  }

  State state_of(kv::Engine& engine) { return world_.run(testing::History::read(engine)); }
  void expect_kept(Session& session) {
    const auto kept = kept_;  // as of before that; more is acknowledged meanwhile
    const State state = state_of(*session.engine);
    for (const auto& [key, place] : kept) EXPECT_TRUE(state.contains(key)) << key << " at " << place;
  }

  // The bucket holds what the last writer does, for everybody.
  void judge(Session& last) {
    ASSERT_TRUE(last.put("last", "1").ok());
    const State right = state_of(*last.engine);
    for (const auto& [key, place] : kept_) EXPECT_TRUE(right.contains(key)) << key << " at " << place;
    EXPECT_EQ(restored_state(world_), right);
    for (const auto& follower : followers_) {
      for (int i = 0; i < 4; ++i) {
        const Result<void> polled = world_.run(follower->poll());
        EXPECT_TRUE(polled) << polled.error().to_string();
        world_.wait(11 * kSecond);
      }
      EXPECT_EQ(state_of(follower->engine()), right);
    }
    const Way way(world_);
    const auto report = world_.run(check_metadata(way.bucket, {}, nullptr));
    EXPECT_TRUE(report && report->clean());
    EXPECT_FALSE(world_.run(is_released(way.bucket)).value());
    ASSERT_TRUE(last.release());
    EXPECT_TRUE(world_.run(is_released(way.bucket)).value());
    EXPECT_EQ(restored_state(world_), right);
  }

  BucketWorld world_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<Way>> ways_;
  std::vector<std::unique_ptr<MetadataFollower>> followers_;
  io::Gate writers_;
  std::map<std::string, uint64_t> kept_;  // what was acknowledged and has to stay; the place of the first one's
  bool stop_ = false;
};

TEST(StraysSimulation, WhoTakesOverFromAStoreThatForgotGoesOnAndLosesNothing) {
  firn::testing::for_seeds(150, [](uint64_t seed) { Life(seed).live(); });
}

}  // namespace
}  // namespace firn::tier
