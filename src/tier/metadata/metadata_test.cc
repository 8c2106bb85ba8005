// What a volume in a bucket promises, one promise at a time, under simulated time; at the end on a real folder and
// database.
#include <gtest/gtest.h>

#include <set>

#include "io/test_environment.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "kv/testing/engine_host.h"
#include "object/dir/dir_store.h"
#include "tier/metadata/testing/session.h"

namespace firn::tier {
namespace {

using io::Task;
using object::Kind;
using testing::BucketWorld;
using testing::kSecond;
using testing::kVolume;
using testing::restored_state;
using testing::Session;
using testing::State;
using testing::Way;

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
  Session session(world, {.min_latency_ns = kSecond / 50, .max_latency_ns = kSecond / 50});
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
  world.wait(10 * kSecond);
  EXPECT_FALSE(session.shipper->lease().holds());
  EXPECT_TRUE(world.run(session.shipper->lease().wait()));
  EXPECT_LE(session.requests() - before, 62u);  // a renewal: for the fence, and for the root
  EXPECT_TRUE(session.shipper->lease().holds());
  Session other(world);
  ASSERT_TRUE(other.open({.keep_lease = false}).ok());
  const uint64_t now = other.requests();
  world.wait(3600 * kSecond);
  EXPECT_EQ(other.requests(), now);
}

// Everything around its place in the log is long gone when it wakes: but the fence is there.
// It sleeps in the middle of opening, for so long that the root and the log that it had found are gone.
// The PUT arrived, and whoever sent it gave up asking whether it had: it finds its own object, not somebody else's.
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
    session.way.line.cut();
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
