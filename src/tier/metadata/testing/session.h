// Processes that have a volume of a bucket open.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "kv/mem/mem_engine.h"
#include "tier/metadata/opening.h"
#include "tier/metadata/shipped_engine.h"
#include "tier/metadata/shipper.h"
#include "tier/metadata/testing/bucket_world.h"
#include "tier/metadata/testing/history.h"

namespace firn::tier::testing {

using io::Task;
using object::Kind;

inline constexpr const char* kVolume = "tested";

// A process that has the bucket's volume open.
class Session {
 public:
  explicit Session(BucketWorld& world, object::testing::Faults faults = {}, std::optional<Key> key = std::nullopt)
      : way(world, faults, key), world_(world) {}
  ~Session() {
    if (shipper) world_.run(shipper->close());
  }

  Status open(ShipOptions options = {}) { return world_.run(open_here(std::move(options))); }
  Task<Status> open_here(ShipOptions options = {}) {
    OpenedVolume opened = CO_TRY(co_await open_volume(way.bucket, [] { return kv::make_mem_restore_target(); },
                                                      {.take_over = {.volume = kVolume}, .rewinds = rewinds}));
    const StartFrom from = opened.start_from();
    held = std::move(opened.held);
    given_up = opened.restored.given_up;
    kv::ShippingSource& source = *opened.restored.engine->shipping();
    options.on_fenced = [this](const Status& why) { fenced.push_back(why); };
    shipper = std::make_unique<MetadataShipper>(way.bucket, held, std::move(options));
    engine = std::make_unique<ShippedEngine>(std::move(opened.restored.engine), *shipper);
    shipper->start(source, from);
    co_return Status();
  }
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
  bool rewinds = false;  // for open()
  Writership held;
  Status given_up;
  std::vector<Status> fenced;
  std::unique_ptr<MetadataShipper> shipper;
  std::unique_ptr<ShippedEngine> engine;

 private:
  Task<Result<kv::Version>> do_commit(std::string key, std::string value) {
    const auto transaction = engine->begin();
    transaction->put(key, value);
    co_return co_await transaction->commit();
  }

  BucketWorld& world_;
};

// Puts "k", 0, 1, 2 ..., until the session is told that it is not the writer any more; yields the last that was
// acknowledged, -1: none.
inline io::Task<int64_t> write_until_fenced(Session& session) {
  int64_t acknowledged = -1;
  for (int64_t i = 0; session.shipper->fenced().ok(); ++i) {
    const auto transaction = session.engine->begin();
    transaction->put("k", std::to_string(i));
    if (!co_await transaction->commit()) break;
    if (!co_await session.engine->sync(session.engine->last_version())) break;
    acknowledged = i;
  }
  co_return acknowledged;
}

inline State restored_state(BucketWorld& world, std::optional<Key> key = std::nullopt) {
  Way way(world, {}, key);
  auto restored = world.run(restore_metadata(way.bucket, kv::make_mem_restore_target(), {}));
  EXPECT_TRUE(restored) << restored.error().to_string();
  return restored ? world.run(History::read(*restored->engine)) : State();
}

inline size_t count(BucketWorld& world, std::string_view prefix) {
  size_t found = 0;
  for (const auto& [name, bytes] : world.mem->sizes()) found += name.starts_with(prefix);
  return found;
}

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
  State state() { return world_.run(History::read(*engine)); }
  Result<void> ship() { return world_.run(shipper->ship_through(engine->last_version())); }

  std::unique_ptr<kv::Engine> engine = kv::make_mem_engine();
  std::unique_ptr<Way> way;
  Status damaged_root;  // that start() passed over
  std::unique_ptr<MetadataShipper> shipper;

 private:
  Task<Status> do_start(ShipOptions options, bool from_others) {
    way = std::make_unique<Way>(world_);
    Writership held = CO_TRY(co_await take_over(
        way->bucket,
        {.volume = kVolume, .database = database_, .from_others = from_others, .passes_damaged_root = !from_others}));
    damaged_root = held.damaged_root;
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

}  // namespace firn::tier::testing
