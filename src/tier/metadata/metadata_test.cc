// What the one writer of a volume in a bucket promises, one promise at a time, under simulated time.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "io/test_environment.h"
#include "kv/mem/mem_engine.h"
#include "kv/testing/engine_host.h"
#include "object/dir/dir_store.h"
#include "object/wrappers.h"
#include "tier/metadata/follower.h"
#include "tier/metadata/restore.h"
#include "tier/metadata/shipped_engine.h"
#include "tier/metadata/shipper.h"
#include "tier/metadata/testing/bucket_world.h"
#include "tier/metadata/testing/history.h"

namespace firn::tier {
namespace {

using io::Task;
using object::Kind;
using testing::BucketWorld;
using testing::kSecond;
using testing::State;
using testing::Way;
using testing::WayFaults;

constexpr const char* kVolume = "tested";

// A process that has the bucket's volume open.
class Session {
 public:
  explicit Session(BucketWorld& world, WayFaults faults = {}, std::optional<Key> key = std::nullopt)
      : way(world, faults, key), world_(world) {}
  ~Session() {
    if (shipper) world_.run(shipper->close());
  }

  Status open(ShipOptions options = {}) { return world_.run(do_open(std::move(options))); }
  // Closes, so that another one may come.
  Result<void> release(int64_t within_ns = 60 * kSecond) { return world_.run(shipper->release(within_ns)); }

  Result<kv::Version> commit(const std::string& key, const std::string& value) {
    return world_.run(do_commit(key, value));
  }
  Result<void> sync() { return world_.run(engine->sync(engine->last_version())); }
  Status put(const std::string& key, const std::string& value) {
    TRY(commit(key, value));
    TRY(sync());
    return {};
  }
  uint64_t requests() const {
    uint64_t all = 0;
    for (const Kind kind : {Kind::kPut, Kind::kGet, Kind::kHead, Kind::kRemove}) all += way.faulty->requests(kind);
    return all;
  }

  Way way;
  Writership held;
  std::vector<Status> fenced;
  std::unique_ptr<MetadataShipper> shipper;
  std::unique_ptr<ShippedEngine> engine;

 private:
  Task<Status> do_open(ShipOptions options) {
    held = CO_TRY(co_await take_over(way.bucket, {.volume = kVolume}));
    Restored restored =
        CO_TRY(co_await restore_metadata(way.bucket, kv::make_mem_restore_target(), {.volume = kVolume}));
    kv::ShippingSource& source = *restored.engine->shipping();
    options.on_fenced = [this](const Status& why) { fenced.push_back(why); };
    shipper = std::make_unique<MetadataShipper>(way.bucket, held, std::move(options));
    engine = std::make_unique<ShippedEngine>(std::move(restored.engine), *shipper);
    shipper->start(source, StartFrom::kBucket);
    co_return Status();
  }
  Task<Result<kv::Version>> do_commit(std::string key, std::string value) {
    const auto transaction = engine->begin();
    transaction->put(key, value);
    co_return co_await transaction->commit();
  }

  BucketWorld& world_;
};

State restored_state(BucketWorld& world, std::optional<Key> key = std::nullopt) {
  Way way(world, {}, key);
  auto restored = world.run(restore_metadata(way.bucket, kv::make_mem_restore_target(), {}));
  EXPECT_TRUE(restored) << restored.error().to_string();
  return restored ? world.run(testing::History::read(*restored->engine)) : State();
}

size_t count(BucketWorld& world, std::string_view prefix) {
  size_t found = 0;
  for (const auto& [name, bytes] : world.mem->sizes()) found += name.starts_with(prefix);
  return found;
}

TEST(BucketVolume, ItsObjectIsMadeOnce) {
  BucketWorld world(1);
  Way way(world);
  EXPECT_EQ(world.run(read_volume_object(way.bucket)).error(), Code::kNotFound);
  ASSERT_TRUE(world.run(create_volume_object(way.bucket, "the volume's record")));
  EXPECT_EQ(world.run(create_volume_object(way.bucket, "another")).error(), Code::kExists);
  EXPECT_EQ(world.run(read_volume_object(way.bucket)), "the volume's record");
  Way sealed(world, {}, Key{});
  EXPECT_EQ(world.run(read_volume_object(sealed.bucket)), "the volume's record");
}

TEST(BucketVolume, WhatWasSyncedIsRestored) {
  BucketWorld world(1);
  Way way(world);
  EXPECT_EQ(world.run(restore_metadata(way.bucket, kv::make_mem_restore_target(), {})).error(), Code::kNotFound);
  Session session(world);
  ASSERT_TRUE(session.open().ok());
  EXPECT_TRUE(restored_state(world).empty());
  ASSERT_TRUE(session.put("a", "1").ok());
  ASSERT_TRUE(session.put("b", "2").ok());
  ASSERT_TRUE(session.commit("c", "3"));
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(session.engine->synced_version(), 2u);
  ASSERT_TRUE(world.run(session.shipper->publish_root()));
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

TEST(BucketVolume, CommitsThatNobodyWaitsForFollowByThemselves) {
  BucketWorld world(2);
  Session session(world);
  ASSERT_TRUE(session.open({.flush_interval_ns = 2 * kSecond}).ok());
  ASSERT_TRUE(session.commit("a", "1"));
  EXPECT_EQ(session.shipper->shipped(), 0u);
  world.wait(3 * kSecond);
  EXPECT_EQ(session.shipper->shipped(), 1u);
  EXPECT_EQ(restored_state(world), (State{{"a", "1"}}));
}

TEST(BucketVolume, ASyncIsOnePutAndManyShareIt) {
  BucketWorld world(3);
  Session session(world, {.faults = {.min_latency_ns = kSecond / 50, .max_latency_ns = kSecond / 50}});
  ASSERT_TRUE(session.open().ok());
  const uint64_t before = session.requests();
  const int64_t start = world.now();
  ASSERT_TRUE(session.put("a", "1").ok());
  EXPECT_EQ(session.requests() - before, 1u);
  EXPECT_LT(world.now() - start, kSecond / 50 + kSecond / 1000);
  const auto writer = [](Session& at, int i, io::Gate::Entry) -> Task<void> {
    for (int j = 0; j < 10; ++j) {
      const auto transaction = at.engine->begin();
      transaction->put("k" + std::to_string(i), std::to_string(j));
      const auto version = co_await transaction->commit();
      CO_REQUIRE(version);
      CO_REQUIRE(co_await at.engine->sync(*version));
    }
  };
  const auto all = [&]() -> Task<void> {
    io::Gate gate;
    for (int i = 0; i < 32; ++i) io::detach(writer(session, i, gate.enter()));
    co_await gate.close();
  };
  const uint64_t puts = session.way.faulty->requests(Kind::kPut);
  world.run(all());
  EXPECT_LE(session.way.faulty->requests(Kind::kPut) - puts,
            21u);  // 320 syncs; who is woken last rides with the next one
}

TEST(BucketVolume, IdleItCostsARequestAMinute) {
  BucketWorld world(4);
  Session session(world);
  ASSERT_TRUE(session.open().ok());
  const uint64_t before = session.requests();
  world.wait(3600 * kSecond);
  EXPECT_LE(session.requests() - before, 60u);
  EXPECT_TRUE(session.shipper->lease_valid());
  Session other(world);
  ASSERT_TRUE(other.open({.keep_lease = false}).ok());
  const uint64_t now = other.requests();
  world.wait(3600 * kSecond);
  EXPECT_EQ(other.requests(), now);
}

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

TEST(BucketVolume, OfTwoOpenersAtOnceOneIsTheWriter) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    BucketWorld world(seed);
    Way first(world, {.faults = {.max_latency_ns = kSecond}}), second(world, {.faults = {.max_latency_ns = kSecond}});
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
}

// Everything around its place in the log is long gone when it wakes: but the fence is there.
TEST(BucketVolume, AWriterThatSleptForLongerThanTheLogIsKeptAcknowledgesNothing) {
  BucketWorld world(6);
  const ShipOptions quick{.root_log_objects = 3, .retention = {.keep_roots = 1, .grace_ns = 10 * kSecond}};
  Session sleeper(world), busy(world);
  ASSERT_TRUE(sleeper.open().ok());
  ASSERT_TRUE(sleeper.put("a", "1").ok());
  sleeper.way.late.freeze_until(1'000'000 * kSecond);
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

// It sleeps in the middle of opening, for so long that the root and the log that it had found are gone.
TEST(BucketVolume, AnOpenerThatSleptIsTheWriterOrIsTold) {
  int late = 0;
  for (int64_t delay = 0; delay < 12; ++delay) {
    SCOPED_TRACE("asleep after " + std::to_string(delay) + " s");
    BucketWorld world(6);
    const ShipOptions quick{.root_log_objects = 3, .retention = {.keep_roots = 1, .grace_ns = 10 * kSecond}};
    Session busy(world);
    ASSERT_TRUE(busy.open(quick).ok());
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(busy.put("k", std::to_string(i)).ok());
    Way sleepy(world, {.faults = {.min_latency_ns = kSecond, .max_latency_ns = kSecond}});
    std::optional<Result<Writership>> taken;
    const auto open = [](Bucket bucket, std::optional<Result<Writership>>& to) -> Task<void> {
      to = co_await take_over(bucket, {.volume = kVolume});
    };
    const auto start = [&]() -> Task<void> {
      io::detach(open(sleepy.bucket, taken));
      co_await io::sleep_for(delay * kSecond);
    };
    world.run(start());
    if (taken) break;  // it is through
    sleepy.late.freeze_until(world.now() + 5000 * kSecond);
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
    late += !*taken;
    if (*taken) {
      EXPECT_EQ(world.run(newest_root(busy.way.bucket, 0, nullptr)), (*taken)->root.number);
      EXPECT_FALSE(busy.put("k", "x").ok());
    } else {
      EXPECT_TRUE((*taken).error() == Code::kNotPermitted || (*taken).error() == Code::kTimedOut ||
                  (*taken).error() == Code::kUnavailable || (*taken).error() == Code::kNotFound)
          << (*taken).error().to_string();
    }
    Session after(world);
    ASSERT_TRUE(after.open().ok());
    EXPECT_TRUE(after.put("still", "here").ok());
  }
  EXPECT_GT(late, 0);
}

// The PUT arrived, and whoever sent it gave up asking whether it had: it finds its own object, not somebody else's.
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
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(session.put("k", std::to_string(i)).ok());
    ASSERT_TRUE(session.commit("last", "one"));
    ASSERT_TRUE(session.release());
    EXPECT_GE(session.shipper->status().root, 2u);  // there was much log
  }
  EXPECT_EQ(restored_state(world), (State{{"k", "399"}, {"last", "one"}}));
  Session next(world);
  ASSERT_TRUE(next.open().ok());
  EXPECT_TRUE(next.held.clean);
  world.run(next.shipper->close());  // without a release
  Session third(world);
  ASSERT_TRUE(third.open().ok());
  EXPECT_FALSE(third.held.clean);
}

TEST(BucketVolume, ABucketThatIsDownIsWaitedForAndReported) {
  BucketWorld world(8);
  Session session(world);
  ASSERT_TRUE(session.open({.queue_bytes = 100, .lease_ns = 90 * kSecond, .ack_timeout_ns = 120 * kSecond}).ok());
  session.way.faulty->set_down(true);
  ASSERT_TRUE(session.commit("a", std::string(200, 'a')));
  const int64_t start = world.now();
  const Result<void> synced = session.sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error(), Code::kUnavailable);
  EXPECT_GE(world.now() - start, 120 * kSecond);
  EXPECT_LE(world.now() - start, 200 * kSecond);
  const auto status = [&] { return session.shipper->status(); };
  EXPECT_EQ(status().last_failure, Code::kUnavailable);
  EXPECT_EQ(status().pending_commits, 1u);
  EXPECT_GE(status().oldest_pending_ns, 120 * kSecond);
  EXPECT_FALSE(status().lease_valid);
  EXPECT_FALSE(status().fenced);
  session.way.faulty->set_down(false);
  EXPECT_TRUE(session.put("b", "2").ok());
  EXPECT_TRUE(status().last_failure.ok());
  EXPECT_EQ(status().pending_bytes, 0u);
  EXPECT_TRUE(status().lease_valid);
  EXPECT_EQ(restored_state(world).size(), 2u);
}

TEST(BucketVolume, CommitsWaitWhenTooMuchIsQueued) {
  BucketWorld world(9);
  Session session(world);
  ASSERT_TRUE(session.open({.queue_bytes = 3000, .ack_timeout_ns = 30 * kSecond}).ok());
  session.way.faulty->set_down(true);
  int commits = 0;
  for (; commits < 100; ++commits)
    if (!session.commit("k" + std::to_string(commits), std::string(500, 'v'))) break;
  EXPECT_LT(commits, 15);  // what is in flight, and the queue
  EXPECT_GT(commits, 5);
}

TEST(BucketVolume, NothingLeaks) {
  BucketWorld world(10);
  const ShipOptions options{.root_log_objects = 5, .retention = {.keep_roots = 2, .grace_ns = 30 * kSecond}};
  for (int round = 0; round < 6; ++round) {
    Session session(world);
    ASSERT_TRUE(session.open(options).ok());
    for (int i = 0; i < 80; ++i) {
      ASSERT_TRUE(session.put("k" + std::to_string(i * 7 % 30), std::to_string(i * round)).ok());
      world.wait(2 * kSecond);
    }
    // Tables of a root that never came: its writer dies as it puts it.
    session.way.late.cut();
    if (round % 2 == 0) {
      const object::Content table(std::string("a table without a root"));
      ASSERT_TRUE(world.run(world.mem->put(
          table_key(
              session.held.epoch,
              1 + world.run(read_root(Way(world).bucket, session.shipper->status().root, nullptr))->root.tables_made),
          table, {}, {})));
    }
  }
  Session last(world);
  ASSERT_TRUE(last.open(options).ok());
  world.wait(60 * kSecond);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(last.put("x", std::to_string(i)).ok());
    ASSERT_TRUE(world.run(last.shipper->publish_root()));
    world.wait(60 * kSecond);
    ASSERT_TRUE(world.run(last.shipper->collect()));
  }
  const uint64_t newest = *world.run(newest_root(last.way.bucket, 0, nullptr));
  EXPECT_GT(newest, 90u);
  const FoundRoot root = *world.run(read_root(last.way.bucket, newest, nullptr));
  std::set<std::string> needed = {root_key(newest)};
  for (uint64_t number = 1; number <= newest; ++number)
    if (is_signpost(number, newest)) needed.insert(root_key(number));
  for (uint64_t number = newest - 2; number < newest; ++number) {
    needed.insert(root_key(number));
    for (const TableRef& table : world.run(read_root(last.way.bucket, number, nullptr))->root.tables)
      needed.insert(table_key(table.epoch, table.number));
  }
  for (const TableRef& table : root.root.tables) needed.insert(table_key(table.epoch, table.number));
  size_t logs = 0;
  for (const auto& [name, bytes] : world.mem->sizes()) {
    if (name.starts_with("log/"))
      ++logs;
    else
      EXPECT_TRUE(needed.contains(name)) << name;
  }
  EXPECT_LE(logs, 7u + 5u);  // fences, and what the last three roots need
  EXPECT_EQ(restored_state(world).size(), 31u);
}

TEST(BucketVolume, TheNewestRootIsFoundAmongWhatIsLeft) {
  BucketWorld world(11);
  Way way(world);
  std::set<uint64_t> there;
  for (uint64_t newest = 1; newest <= 600; ++newest) {
    ASSERT_TRUE(world.run(way.bucket.store.put(root_key(newest), object::Content("x"), {}, {})));
    there.insert(newest);
    for (auto number = there.begin(); number != there.end();) {
      if (is_signpost(*number, newest)) {
        ++number;
        continue;
      }
      ASSERT_TRUE(world.run(way.bucket.store.remove(root_key(*number), {})));
      number = there.erase(number);
    }
    EXPECT_LE(there.size(), 20u);
    for (const uint64_t hint : {uint64_t{0}, newest / 2, newest - 1, newest})
      ASSERT_EQ(world.run(newest_root(way.bucket, hint, nullptr)), newest) << hint;
  }
}

TEST(BucketVolume, DamageIsFoundAndNamed) {
  BucketWorld world(12);
  {
    Session session(world);
    ASSERT_TRUE(session.open().ok());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(session.put("k" + std::to_string(i), std::string(300, 'v')).ok());
    ASSERT_TRUE(world.run(session.shipper->publish_root()));
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(session.put("late" + std::to_string(i), "v").ok());
  }
  Way way(world);
  const State expected = restored_state(world);
  const uint64_t newest = *world.run(newest_root(way.bucket, 0, nullptr));
  const FoundRoot root = *world.run(read_root(way.bucket, newest, nullptr));
  int damaged = 0;
  for (const auto& [name, bytes] : world.mem->sizes()) {
    const bool needed = name == root_key(newest) || name.starts_with("sst/") ||
                        (name.starts_with("log/") && name >= log_key(root.root.first_log));
    const std::string content = world.run(object::get_all(*world.mem, name, 1 << 20, {})).value();
    for (int i = 0; i < 20; ++i) {
      std::string changed = content;
      if (i == 0)
        changed.resize(changed.size() / 2);
      else
        changed[world.random.below(changed.size())] ^= static_cast<char>(1 << world.random.below(8));
      world.mem->overwrite(name, changed);
      auto restored = world.run(restore_metadata(way.bucket, kv::make_mem_restore_target(), {}));
      EXPECT_EQ(restored.has_value(), !needed) << name;
      if (restored) {
        EXPECT_EQ(world.run(testing::History::read(*restored->engine)), expected);
        continue;
      }
      ++damaged;
      EXPECT_TRUE(restored.error() == Code::kCorrupt || restored.error() == Code::kNotSupported);
      EXPECT_NE(restored.error().message().find(name), std::string::npos) << restored.error().message() << " " << name;
    }
    world.mem->overwrite(name, content);
  }
  EXPECT_GT(damaged, 100);
  // A log object that the store has lost.
  ASSERT_TRUE(world.run(world.mem->remove(log_key(root.root.first_log + 1), {})));
  const auto lost = world.run(restore_metadata(way.bucket, kv::make_mem_restore_target(), {}));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error(), Code::kCorrupt);
  EXPECT_NE(lost.error().message().find("hole"), std::string::npos);
}

TEST(BucketVolume, SealedItShowsNothing) {
  BucketWorld world(13);
  const Key key{std::byte{42}};
  Session session(world, {}, key);
  ASSERT_TRUE(session.open().ok());
  ASSERT_TRUE(session.put("a very secret name", "a very secret value").ok());
  ASSERT_TRUE(world.run(session.shipper->publish_root()));
  ASSERT_TRUE(session.put("another secret name", "x").ok());
  EXPECT_EQ(restored_state(world, key).size(), 2u);
  for (const auto& [name, bytes] : world.mem->sizes()) {
    const std::string content = world.run(object::get_all(*world.mem, name, 1 << 20, {})).value();
    EXPECT_EQ(content.find("secret"), std::string::npos) << name;
    EXPECT_EQ(content.find(kVolume), std::string::npos) << name;
  }
  Way without(world), wrong(world, {}, Key{std::byte{43}});
  EXPECT_EQ(world.run(restore_metadata(without.bucket, kv::make_mem_restore_target(), {})).error(),
            Code::kAccessDenied);
  EXPECT_EQ(world.run(restore_metadata(wrong.bucket, kv::make_mem_restore_target(), {})).error(), Code::kCorrupt);
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

// ---- volumes whose truth is a local database

// A local database and, for one run of its daemon after another, the way to the bucket.
class Local {
 public:
  explicit Local(BucketWorld& world) : world_(world) {}
  ~Local() { stop(); }

  Status start(ShipOptions options = {}, bool from_others = true) {
    return world_.run(do_start(std::move(options), from_others));
  }
  void stop() {
    if (shipper) world_.run(shipper->close());
    shipper.reset();
  }
  void put(const std::string& key, const std::string& value) {
    const auto commit = [](kv::Engine& at, std::string k, std::string v) -> Task<void> {
      const auto transaction = at.begin();
      transaction->put(k, v);
      EXPECT_TRUE(co_await transaction->commit());
    };
    world_.run(commit(*engine, key, value));
  }
  State state() { return world_.run(testing::History::read(*engine)); }
  Result<void> ship() { return world_.run(shipper->ship_through(engine->last_version())); }

  std::unique_ptr<kv::Engine> engine = kv::make_mem_engine();
  std::unique_ptr<Way> way;
  std::unique_ptr<MetadataShipper> shipper;

 private:
  Task<Status> do_start(ShipOptions options, bool from_others) {
    way = std::make_unique<Way>(world_);
    Writership held =
        CO_TRY(co_await take_over(way->bucket, {.volume = kVolume, .database = database_, .from_others = from_others}));
    options.drop_when_full = true;
    options.keep_lease = false;
    options.database = database_;
    shipper = std::make_unique<MetadataShipper>(way->bucket, std::move(held), std::move(options));
    shipper->start(*engine->shipping(), StartFrom::kDatabase);
    co_return Status();
  }

  BucketWorld& world_;
  const Bytes16 database_ = random_bytes16(world_.random);
};

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

// ---- followers

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

// ---- a real folder, a real database, real time

TEST(BucketVolume, InAFolderOnRocksdb) {
  kv::testing::ScratchFolder folder;
  const std::string path = folder.path() + "/nas";
  ASSERT_TRUE(object::create_dir_store(path, "id").ok());
  const auto store = object::open_dir_store({.path = path});
  const Bucket bucket{.store = *store, .pool = kv::testing::blocking_pool(), .random = system_random()};
  const auto database = [&](const char* name) {
    kv::RocksdbOptions options = kv::testing::small_rocksdb(folder.path() + "/" + name);
    options.memtable_bytes = 64 << 10;
    options.logged = false;
    return kv::make_rocksdb_restore_target(options);
  };
  const auto first_life = [&]() -> Task<void> {
    const auto held = co_await take_over(bucket, {.volume = kVolume});
    CO_REQUIRE(held);
    auto restored = co_await restore_metadata(bucket, database("first"), {.volume = kVolume});
    CO_REQUIRE(restored);
    MetadataShipper shipper(bucket, *held, {.root_log_objects = 20});
    kv::ShippingSource& source = *restored->engine->shipping();
    ShippedEngine engine(std::move(restored->engine), shipper);
    shipper.start(source, StartFrom::kBucket);
    for (int i = 0; i < 500; ++i) {
      const auto transaction = engine.begin();
      transaction->put("k" + std::to_string(i), std::string(1000, 'v'));
      transaction->add("count", 1);
      const auto version = co_await transaction->commit();
      CO_REQUIRE(version);
      if (i % 10 == 0) CO_REQUIRE(co_await engine.sync(*version));
    }
    EXPECT_TRUE(co_await shipper.publish_root());
    EXPECT_TRUE(co_await shipper.release(60 * kSecond));
    EXPECT_TRUE(co_await engine.close());
  };
  kv::testing::run([](Task<void> task) -> Task<bool> {
    co_await std::move(task);
    co_return true;
  }(first_life()));
  uint64_t reported = 0;
  auto restored = kv::testing::run(restore_metadata(
      bucket, database("second"), {.on_progress = [&](const RestoreProgress& now) { reported = now.bytes_done; }}));
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_GT(reported, 0u);
  const auto pairs = kv::testing::run(restored->engine->begin()->scan({}, 10'000));
  ASSERT_TRUE(pairs);
  EXPECT_EQ(pairs->size(), 501u);
  EXPECT_EQ(kv::testing::Tx(*restored->engine).get("count"), kv::encode_counter(500));
  EXPECT_TRUE(kv::testing::run(restored->engine->close()));
  kv::testing::run([](object::ObjectStore& closing) -> Task<bool> {
    co_await closing.close();
    co_return true;
  }(*store));
}

}  // namespace
}  // namespace firn::tier
