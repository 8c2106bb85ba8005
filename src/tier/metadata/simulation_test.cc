// Writers, takeovers, kills, restores and a follower under simulated time, with stores that misbehave by a seed.
// FIRN_SEEDS=N for a soak, FIRN_SEED=N for one.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/testing/seeds.h"
#include "io/test_environment.h"
#include "kv/mem/mem_engine.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "kv/testing/engine_host.h"
#include "object/wrappers.h"
#include "tier/blob_check.h"
#include "tier/metadata/follower.h"
#include "tier/metadata/restore.h"
#include "tier/metadata/shipped_engine.h"
#include "tier/metadata/shipper.h"
#include "tier/metadata/testing/bucket_world.h"
#include "tier/metadata/testing/history.h"

namespace firn::tier {
namespace {

using io::Task;
using object::testing::Faults;
using testing::BucketWorld;
using testing::History;
using testing::kSecond;
using testing::State;
using testing::Way;

using MakeTarget = std::function<std::unique_ptr<kv::RestoreTarget>()>;

constexpr const char* kVolume = "simulated";
constexpr int64_t kLeaseNs = 20 * kSecond;

// Those whose successors must not serve beside them.
using Servers = std::set<MetadataShipper*>;

ShipOptions ship_options(Random& random) {
  return {
      .flush_interval_ns = static_cast<int64_t>(random.below(4) == 0 ? 20 * kSecond : random.below(3) * kSecond / 2),
      .flush_bytes = 2000,
      .log_bytes = 1000,
      .queue_bytes = 5000,
      .root_log_bytes = 100'000,
      .root_log_objects = 2 + random.below(10),
      .tables_in_flight = 1 + random.below(3),
      .retention = {.keep_roots = 1 + random.below(2), .grace_ns = 60 * kSecond},
      .lease_ns = kLeaseNs,
      .heartbeat_ns = 8 * kSecond,
      .longest_retry_ns = 3 * kSecond,
      .ack_timeout_ns = 60 * kSecond};
}

// One process that mounts the volume of a bucket, works, and ends well, badly or too late.
class Daemon {
 public:
  Daemon(BucketWorld& world, History& history, Faults faults, std::optional<Key> key, MakeTarget make_target,
         Servers& servers)
      : servers_(servers),
        world_(world),
        history_(history),
        way_(world, faults, key),
        make_target_(std::move(make_target)) {}

  Task<void> live(io::Gate::Entry) {
    const Result<Writership> held =
        co_await take_over(way_.bucket, {.volume = kVolume, .lease_ns = kLeaseNs, .within_ns = 50 * kSecond});
    if (!held) co_return;
    Result<Restored> restored = co_await restore();
    if (!restored) co_return;
    if (held->others_until_ns > world_.now()) co_await io::sleep_for(held->others_until_ns - world_.now());
    const History::Number base = history_.identify(co_await History::read(*restored->engine), "restored");
    last_ = base;
    MetadataShipper shipper(way_.bucket, *held, ship_options(world_.random));
    kv::ShippingSource& source = *restored->engine->shipping();
    ShippedEngine engine(std::move(restored->engine), shipper);
    shipper.start(source, StartFrom::kBucket);
    servers_.insert(&shipper);
    co_await work(engine, shipper);
    servers_.erase(&shipper);
    if (world_.random.below(3) == 0) {
      const Result<void> released = co_await shipper.release(300 * kSecond);
      if (released) history_.acknowledge(last_);
    } else {
      way_.line.cut();
      co_await shipper.close();
    }
    EXPECT_TRUE(co_await engine.close());
  }

 private:
  Task<Result<Restored>> restore() {
    for (int attempt = 1;; ++attempt) {
      Result<Restored> restored = co_await restore_metadata(way_.bucket, make_target_(), {.volume = kVolume});
      if (restored) co_return restored;
      // A store that does not answer, and bits that flip on the way; nothing else may come.
      const Status& why = restored.error();
      EXPECT_TRUE(why == Code::kUnavailable || why == Code::kTimedOut || (way_.flips && is_damage(why.code())))
          << why.to_string();
      if (attempt == 20) co_return restored;
    }
  }

  Task<void> work(kv::Engine& engine, MetadataShipper& shipper) {
    io::Gate gate;
    const int64_t until = world_.now() + static_cast<int64_t>(world_.random.below(120) * kSecond);
    for (uint64_t clients = 1 + world_.random.below(3); clients > 0; --clients)
      io::detach(client(engine, shipper, until, gate.enter()));
    if (world_.random.below(4) == 0) {
      co_await io::sleep_for(static_cast<int64_t>(world_.random.below(60) * kSecond));
      const auto root = co_await shipper.publish_root();
      if (root && world_.random.below(2) == 0) (void)co_await shipper.collect();
      if (world_.random.below(2) == 0) {
        way_.line.cut();
        co_await shipper.close();
      }
    }
    // Somebody else may take over, and even clean up, while this one sleeps.
    if (world_.random.below(3) == 0) {
      co_await io::sleep_for(static_cast<int64_t>(world_.random.below(60) * kSecond));
      way_.line.freeze_until(world_.now() + static_cast<int64_t>((30 + world_.random.below(300)) * kSecond));
    }
    // A kill comes in the middle of it.
    if (world_.random.below(2) == 0) {
      const int64_t left = until - world_.now();
      if (left > 0) co_await io::sleep_for(static_cast<int64_t>(world_.random.below(static_cast<uint64_t>(left))));
      way_.line.cut();
      co_await shipper.close();
    }
    co_await gate.close();
  }

  Task<void> client(kv::Engine& engine, MetadataShipper& shipper, int64_t until, io::Gate::Entry) {
    while (world_.now() < until) {
      check_alone(shipper);
      if (world_.random.below(8) == 0) {
        const Result<void> served = co_await shipper.lease().wait();
        if (!served) EXPECT_NE(served.error().message(), "");
        if (served) EXPECT_TRUE(shipper.lease_valid());
        check_alone(shipper);
      }
      const std::unique_ptr<kv::Transaction> transaction = engine.begin();
      const History::Draft draft = history_.draft(world_.random, *transaction);
      const Result<kv::Version> version = co_await transaction->commit();
      if (!version) break;  // fenced, or closed
      // Nothing can have run between the commit and this.
      history_.add(draft, last_);
      last_ = draft.number;
      if (world_.random.below(3) == 0) {
        const Result<void> synced = co_await engine.sync(*version);
        if (synced) history_.acknowledge(draft.number);
        if (!synced) EXPECT_NE(synced.error().message(), "");
        if (!shipper.fenced().ok()) break;
      }
      // Now and then it sleeps for longer than its lease, or than anything is kept.
      const uint64_t kind = world_.random.below(40);
      const uint64_t longest = kind == 0 ? 300 * kSecond : kind < 10 ? 10 * kSecond : kSecond / 10;
      co_await io::sleep_for(static_cast<int64_t>(world_.random.below(longest)));
    }
  }

  // Whoever may answer is the only one who may.
  void check_alone(MetadataShipper& mine) {
    if (!mine.lease().holds()) return;
    for (MetadataShipper* other : servers_)
      EXPECT_TRUE(other == &mine || !other->lease().holds()) << "two daemons serve the volume";
  }

  Servers& servers_;
  BucketWorld& world_;
  History& history_;
  Way way_;
  const MakeTarget make_target_;
  History::Number last_ = 0;
};

// Follows all the while; everything that it ever sees must be a state of the one history.
class Watcher {
 public:
  Watcher(BucketWorld& world, History& history, Faults faults, std::optional<Key> key, MakeTarget make_target)
      : world_(world), history_(history), way_(world, faults, key), make_target_(std::move(make_target)) {}

  Task<void> watch(io::CancelToken* token, io::Gate::Entry) {
    MetadataFollower follower(way_.bucket, make_target_,
                              {.restore = {.volume = kVolume}, .root_check_ns = 20 * kSecond});
    while (!co_await follower.open(token))
      if (!co_await io::sleep_for(kSecond, token)) co_return;
    for (;;) {
      seen_.push_back(history_.identify(co_await History::read(follower.engine()), "followed"));
      if (world_.random.below(20) == 0)
        if (!co_await io::sleep_for(static_cast<int64_t>(world_.random.below(400)) * kSecond, token)) break;
      if (!co_await io::sleep_for(static_cast<int64_t>(world_.random.below(5) * kSecond), token)) break;
      const Result<void> polled = co_await follower.poll(token);
      if (!polled && !way_.flips) EXPECT_NE(polled.error(), Code::kCorrupt) << polled.error().to_string();
    }
    // In the end, with nobody writing, it catches up.
    for (int attempt = 0; attempt < 100; ++attempt) {
      (void)co_await follower.poll(nullptr);
      co_await io::sleep_for(kSecond);
    }
    last_ = history_.identify(co_await History::read(follower.engine()), "followed to the end");
    caught_up_ = true;
    EXPECT_TRUE(co_await follower.engine().close());
  }

  void judge(History::Number end) const {
    for (const History::Number number : seen_) EXPECT_TRUE(history_.descends(end, number)) << "followed " << number;
    if (caught_up_) EXPECT_EQ(last_, end);
  }

 private:
  BucketWorld& world_;
  History& history_;
  Way way_;
  const MakeTarget make_target_;
  std::vector<History::Number> seen_;
  History::Number last_ = 0;
  bool caught_up_ = false;
};

Task<void> live_through(BucketWorld& world, History& history, Faults faults, std::optional<Key> key,
                        MakeTarget make_target) {
  Way good(world, {}, key);
  io::Gate daemons, watchers;
  Servers servers;
  io::CancelToken enough;
  Watcher watcher(world, history, faults, key, make_target);
  io::detach(watcher.watch(&enough, watchers.enter()));
  std::vector<std::unique_ptr<Daemon>> all;
  for (uint64_t count = 2 + world.random.below(5); count > 0; --count) {
    all.push_back(std::make_unique<Daemon>(world, history, faults, key, make_target, servers));
    io::detach(all.back()->live(daemons.enter()));
    // Often the next one comes while this one is there, or at the same moment.
    co_await io::sleep_for(static_cast<int64_t>(world.random.below(2) * world.random.below(150) * kSecond));
  }
  co_await daemons.close();
  co_await io::sleep_for(faults.latest_ns);
  enough.cancel();
  co_await watchers.close();
  const Result<Writership> held = co_await take_over(good.bucket, {.volume = kVolume});
  CO_REQUIRE(held);
  Result<Restored> restored = co_await restore_metadata(good.bucket, make_target(), {.volume = kVolume});
  CO_REQUIRE(restored);
  const History::Number end = history.identify(co_await History::read(*restored->engine), "in the end");
  history.expect_all_acknowledged(end, "in the end");
  watcher.judge(end);
  EXPECT_TRUE(co_await restored->engine->close());
}

// Nobody asks for an object of the log after its PUT, which an fsync waits for; nor for a pin.
bool may_forget(std::string_view key) { return key.starts_with("sst/") || key.starts_with("root/"); }

Faults bad_faults(uint64_t seed) {
  switch (seed % 5) {
    case 0:
      return {.max_latency_ns = kSecond / 5};
    case 1:
      return {.refused = 0.1, .answer_lost = 0.1, .truncated = 0.05, .max_latency_ns = kSecond};
    case 2:
      return {.answer_lost = 0.05, .late = 0.15, .twice = 0.05, .latest_ns = 120 * kSecond, .max_latency_ns = kSecond};
    case 3:
      return {
          .refused = 0.02, .forgotten = 0.2, .may_forget = may_forget, .corrupted = 0.05, .max_latency_ns = kSecond};
    default:
      return {.refused = 0.05,
              .answer_lost = 0.2,
              .hung = 0.02,
              .late = 0.05,
              .twice = 0.1,
              .latest_ns = 120 * kSecond,
              .max_latency_ns = 3 * kSecond};
  }
}

TEST(MetadataSimulation, AcknowledgedCommitsOutliveWritersAndStores) {
  size_t acknowledged = 0;
  firn::testing::for_seeds(200, [&](uint64_t seed) {
    BucketWorld world(seed);
    History history;
    const auto key = seed % 7 == 0 ? std::optional(Key{std::byte{1}}) : std::nullopt;
    const auto make_target = [] { return kv::make_mem_restore_target({.yields = true}); };
    world.run(live_through(world, history, bad_faults(seed), key, make_target));
    acknowledged += history.acknowledged();
  });
  if (std::getenv("FIRN_SEED") == nullptr) EXPECT_GT(acknowledged, 1000u);
}

// A volume whose truth is a local database: its daemon comes and goes, the bucket too, and what the bucket holds at any
// moment is a state that the database once had.
class LocalLife {
 public:
  LocalLife(BucketWorld& world, History& history, Faults faults) : world_(world), history_(history), faults_(faults) {
    // Each is asked for.
    faults_.may_forget = [](std::string_view key) { return may_forget(key) || key.starts_with("log/"); };
  }

  Task<void> live() {
    for (uint64_t run = 2 + world_.random.below(4); run > 0; --run) {
      co_await commit(world_.random.below(5));  // while nobody ships
      co_await run_daemon(run == 1);
      co_await judge("between");
    }
    const History::Number end = co_await judge("in the end");
    EXPECT_EQ(end, last_);
    EXPECT_TRUE(co_await engine_->close());
  }

 private:
  Task<void> commit(uint64_t count) {
    for (; count > 0; --count) {
      const auto transaction = engine_->begin();
      const History::Draft draft = history_.draft(world_.random, *transaction);
      CO_REQUIRE(co_await transaction->commit());
      history_.add(draft, last_);
      last_ = draft.number;
    }
  }

  Task<void> run_daemon(bool well) {
    ways_.push_back(std::make_unique<Way>(world_, well ? Faults{} : faults_));
    Way& way = *ways_.back();
    Result<Writership> held = co_await take_over(way.bucket, {.volume = kVolume});
    if (!held) co_return;
    ShipOptions options = ship_options(world_.random);
    options.drop_when_full = true;
    options.asks_after = AskAfter::kFirst;
    options.keep_lease = false;
    options.queue_bytes = 2000;
    MetadataShipper shipper(way.bucket, *std::move(held), std::move(options));
    shipper.start(*engine_->shipping(), StartFrom::kDatabase);
    for (uint64_t steps = world_.random.below(60); steps > 0; --steps) {
      if (world_.random.below(10) == 0) way.faulty->set_down(world_.random.below(2) == 0);
      co_await commit(1 + world_.random.below(3));
      co_await io::sleep_for(static_cast<int64_t>(world_.random.below(5) * kSecond));
      if (world_.random.below(20) == 0) co_await judge("meanwhile");
    }
    way.faulty->set_down(false);
    if (well) EXPECT_TRUE(co_await shipper.ship_through(engine_->last_version()));
    if (well || world_.random.below(2) == 0) {
      const Result<void> released = co_await shipper.release(600 * kSecond);
      if (released) EXPECT_EQ(co_await judge("released"), last_);
    } else {
      way.line.cut();
      co_await shipper.close();
    }
  }

  Task<History::Number> judge(const char* when) {
    const Way way(world_);
    for (int attempt = 0; attempt < 20; ++attempt) {
      Result<Restored> restored = co_await restore_metadata(way.bucket, kv::make_mem_restore_target(), {});
      if (!restored && restored.error() == Code::kNotFound) co_return 0;
      if (!restored && restored.error() == Code::kUnavailable) continue;
      EXPECT_TRUE(restored) << restored.error().to_string();
      if (!restored) break;
      co_return history_.identify(co_await History::read(*restored->engine), when);
    }
    ADD_FAILURE() << when << ": nothing to restore";
    co_return 0;
  }

  BucketWorld& world_;
  History& history_;
  Faults faults_;
  const std::unique_ptr<kv::Engine> engine_ = kv::make_mem_engine({.yields = true});
  std::vector<std::unique_ptr<Way>> ways_;
  History::Number last_ = 0;
};

TEST(MetadataSimulation, TheBucketFollowsALocalDatabase) {
  firn::testing::for_seeds(100, [](uint64_t seed) {
    BucketWorld world(seed);
    History history;
    LocalLife life(world, history, bad_faults(seed));
    world.run(life.live());
  });
}

TEST(MetadataSimulation, TheSameOnRocksdb) {
  firn::testing::for_seeds(6, [](uint64_t seed) {
    kv::testing::ScratchFolder folder;
    BucketWorld world(seed);
    History history;
    int databases = 0;
    const auto make_target = [&] {
      return kv::make_rocksdb_restore_target({.path = folder.path() + "/db" + std::to_string(++databases),
                                              .logged = false,
                                              .block_cache_bytes = 1 << 20,
                                              .memtable_bytes = 1 << 20});
    };
    world.run(live_through(world, history, bad_faults(seed), std::nullopt, make_target));
  });
}

}  // namespace
}  // namespace firn::tier
