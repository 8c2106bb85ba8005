// A bucket under simulated time, and ways to it that lose answers, deliver late or twice, and break off.
#pragma once

#include <memory>
#include <string>

#include "io/block_on.h"
#include "io/sim/sim_blocking_pool.h"
#include "io/sim/sim_reactor.h"
#include "object/mem/mem_store.h"
#include "object/testing/faulty_store.h"
#include "object/testing/forwarding_store.h"
#include "tier/metadata/bucket.h"

namespace firn::tier::testing {

inline constexpr int64_t kSecond = 1'000'000'000;

// A switch that cuts everything off, as when the process dies, or holds it up, as when it sleeps.
class Line final : public object::testing::ForwardingStore {
 public:
  explicit Line(object::ObjectStore& inner) : ForwardingStore(inner) {}

  io::Task<Result<void>> put(std::string key, object::Content content, object::PutOptions options,
                             io::Until until) override {
    CO_TRY(co_await pass());
    co_return co_await ForwardingStore::put(std::move(key), std::move(content), options, until);
  }
  io::Task<Result<object::Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    CO_TRY(co_await pass());
    co_return co_await ForwardingStore::get(std::move(key), offset, bytes, until);
  }
  io::Task<Result<object::ObjectInfo>> head(std::string key, io::Until until) override {
    CO_TRY(co_await pass());
    co_return co_await ForwardingStore::head(std::move(key), until);
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    CO_TRY(co_await pass());
    co_return co_await ForwardingStore::remove(std::move(key), until);
  }

  void cut() { cut_ = true; }
  // Nothing gets through before then: the process, or its machine, sleeps.
  void freeze_until(int64_t monotonic_ns) { frozen_until_ns_ = monotonic_ns; }

 private:
  io::Task<Result<void>> pass() {
    const int64_t left = frozen_until_ns_ - io::Reactor::current()->clock().monotonic_ns();
    if (left > 0) co_await io::sleep_for(left);
    if (cut_) co_return fail(Code::kInterrupted, "cut off");
    co_return Result<void>();
  }

  bool cut_ = false;
  int64_t frozen_until_ns_ = 0;
};

class BucketWorld {
 public:
  explicit BucketWorld(uint64_t seed)
      : random(seed), reactor({.seed = seed, .shuffle = true}), mem(std::make_shared<object::MemStore>()) {}

  ~BucketWorld() { reactor.run(); }  // what is still on its way arrives

  template <class T>
  T run(io::Task<T> task) {
    return io::run_to_end(reactor, std::move(task));
  }
  void wait(int64_t nanoseconds) { (void)run(io::sleep_for(nanoseconds)); }
  int64_t now() { return reactor.clock().monotonic_ns(); }

  SeededRandom random;
  io::SimReactor reactor;
  io::SimBlockingPool pool{reactor};
  std::shared_ptr<object::MemStore> mem;
};

// One process's way to the bucket.
class Way {
 public:
  Way(BucketWorld& world, object::testing::Faults faults = {}, std::optional<Key> key = std::nullopt)
      : flips(faults.corrupted > 0),
        faulty(std::make_shared<object::testing::FaultyStore>(world.mem, faults, world.random)),
        line(*faulty),
        store_(object::retrying(
            std::make_unique<object::testing::ForwardingStore>(static_cast<object::ObjectStore&>(line)),
            {.attempt_ns = 5 * kSecond, .max_attempts = 4, .longest_wait_ns = 2 * kSecond}, world.random)),
        bucket{.store = *store_, .pool = world.pool, .random = world.random, .key = key, .request_ns = 30 * kSecond} {}

  const bool flips;  // bits of what comes over it
  std::shared_ptr<object::testing::FaultyStore> faulty;
  Line line;

 private:
  std::unique_ptr<object::ObjectStore> store_;

 public:
  Bucket bucket;
};

}  // namespace firn::tier::testing
