// A bucket under simulated time, and ways to it that lose answers, deliver late, and break off.
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

struct WayFaults {
  object::testing::Faults faults;
  double late = 0;  // of a put: it arrives after its caller has given up
  int64_t latest_ns = 120 * kSecond;
};

// Puts that arrive late, and a switch that cuts everything off, as when the process dies.
class LateStore final : public object::testing::ForwardingStore {
 public:
  LateStore(std::shared_ptr<object::ObjectStore> inner, WayFaults faults, Random& random)
      : ForwardingStore(*inner), inner_(std::move(inner)), faults_(faults), random_(random) {}

  io::Task<Result<void>> put(std::string key, object::Content content, object::PutOptions options,
                             io::Until until) override {
    CO_TRY(co_await pass());
    if (random_.unit() < faults_.late) {
      io::detach(put_later(inner_, std::move(key), std::move(content), options, below(faults_.latest_ns)));
      co_await io::sleep_for(below(kSecond), until.token);
      co_return fail(Code::kTimedOut, "injected: it may arrive later");
    }
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
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_.below(static_cast<uint64_t>(bound))); }
  static io::Task<void> put_later(std::shared_ptr<object::ObjectStore> inner, std::string key, object::Content content,
                                  object::PutOptions options, int64_t wait_ns) {
    co_await io::sleep_for(wait_ns);
    (void)co_await inner->put(std::move(key), std::move(content), options, io::within(600 * kSecond));
  }

  const std::shared_ptr<object::ObjectStore> inner_;
  const WayFaults faults_;
  Random& random_;
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
  Way(BucketWorld& world, WayFaults faults = {}, std::optional<Key> key = std::nullopt)
      : faulty(std::make_shared<object::testing::FaultyStore>(world.mem, faults.faults, world.random)),
        late(faulty, faults, world.random),
        store_(object::retrying(
            std::make_unique<object::testing::ForwardingStore>(static_cast<object::ObjectStore&>(late)),
            {.attempt_ns = 5 * kSecond, .max_attempts = 4, .longest_wait_ns = 2 * kSecond}, world.random)),
        bucket{.store = *store_, .pool = world.pool, .random = world.random, .key = key, .request_ns = 30 * kSecond} {}

  std::shared_ptr<object::testing::FaultyStore> faulty;
  LateStore late;

 private:
  std::unique_ptr<object::ObjectStore> store_;

 public:
  Bucket bucket;
};

}  // namespace firn::tier::testing
