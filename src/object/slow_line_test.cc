// A line that is slow by itself: what is on its way arrives, and nothing goes twice.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "io/sim/sim_reactor.h"
#include "io/sync.h"
#include "io/test_environment.h"
#include "object/mem/mem_store.h"
#include "object/testing/forwarding_store.h"
#include "object/turns.h"
#include "object/wrappers.h"

namespace firn::object {
namespace {

using io::Task;
using testing::ForwardingStore;

constexpr int64_t kSecondNs = 1'000'000'000;

struct World {
  void run(Task<void> task) { io::run_to_end(reactor, std::move(task)); }
  io::SimReactor reactor{{.seed = 1}};
  SeededRandom random{1};
  MemStore mem;
};

// A line that all transfers share, as fast as it says; what does not come through by its deadline is told so.
class SlowLine final : public ForwardingStore {
 public:
  SlowLine(ObjectStore& inner, uint64_t bytes_per_s) : ForwardingStore(inner), bytes_per_s_(bytes_per_s) {}
  Task<Result<void>> put(std::string key, Content content, PutOptions options, io::Until until) override {
    CO_TRY(co_await carry(content.bytes(), until));
    co_return co_await ForwardingStore::put(std::move(key), std::move(content), options, until);
  }
  Task<Result<Fetched>> get(std::string key, uint64_t offset, uint64_t bytes, io::Until until) override {
    CO_TRY(co_await carry(bytes, until));
    co_return co_await ForwardingStore::get(std::move(key), offset, bytes, until);
  }

  int attempts = 0;
  int breaks = 0;         // so many transfers break off at their end
  size_t most_large = 0;  // that were under way at once

 private:
  // By turns, a piece each.
  Task<Result<void>> carry(uint64_t bytes, io::Until until) {
    constexpr uint64_t kPieceBytes = 64 << 10;
    ++attempts;
    const bool is_large = bytes > 4 * kPieceBytes;
    large_ += is_large;
    most_large = std::max(most_large, large_);
    for (uint64_t done = 0; done < bytes; done += kPieceBytes) {
      const io::Mutex::Guard turn = co_await line_.lock();
      if (io::Reactor::current()->clock().monotonic_ns() >= until.deadline_ns) {
        large_ -= is_large;
        co_return fail(Code::kTimedOut);
      }
      co_await io::sleep_for(static_cast<int64_t>(kPieceBytes * uint64_t{kSecondNs} / bytes_per_s_));
    }
    large_ -= is_large;
    if (breaks-- > 0) co_return fail(Code::kUnavailable);
    co_return Result<void>();
  }

  const uint64_t bytes_per_s_;
  size_t large_ = 0;  // under way
  io::Mutex line_;
};

constexpr uint64_t kMebibyte = 1 << 20;
Task<void> get_all_of(ObjectStore* store, uint64_t offset, io::Gate::Entry) {
  const auto got = co_await store->get("k", offset, 4 * kMebibyte, io::within(60 * kSecondNs));
  EXPECT_TRUE(got) << got.error().to_string();
}

Task<void> put_blob(ObjectStore* store, std::string key, io::Gate::Entry) {
  const auto put =
      co_await store->put(std::move(key), Content(std::string(64 * kMebibyte, 'x')), {}, io::within(600 * kSecondNs));
  EXPECT_TRUE(put) << put.error().to_string();
}

// Four blobs at once up, at about a Mbit/s, and then as many chunks down as are ever in flight.
Task<void> slow_by_nature(World* world) {
  SlowLine line(world->mem, 128 << 10);
  const auto store = retrying(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(line)), {}, world->random);
  io::Gate puts, gets;
  for (int i = 0; i < 4; ++i) io::detach(put_blob(store.get(), "blob" + std::to_string(i), puts.enter()));
  co_await puts.close();
  EXPECT_EQ(line.attempts, 4) << "nothing is sent twice";
  EXPECT_TRUE(co_await world->mem.put("k", Content(std::string(128 * kMebibyte, 'x')), {}, {}));
  for (uint64_t i = 0; i < 32; ++i) io::detach(get_all_of(store.get(), i * 4 * kMebibyte, gets.enter()));
  co_await gets.close();
  EXPECT_EQ(line.attempts, 4 + 32);
}
TEST(Retrying, ASlowLineIsNoFailure) {
  World world;
  world.run(slow_by_nature(&world));
}

Task<void> breaks_late(World* world) {
  SlowLine line(world->mem, 128 << 10);
  line.breaks = 2;
  const auto store = retrying(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(line)), {}, world->random);
  EXPECT_TRUE(co_await store->put("k", Content(std::string(16 * kMebibyte, 'x')), {}, io::within(60 * kSecondNs)));
  EXPECT_EQ(line.attempts, 3);
}
TEST(Retrying, WhatMovedIsNoReasonToGiveUp) {
  World world;
  world.run(breaks_late(&world));
}

// Blobs that take longer than anybody waits have all the turns that they may have; what asks for the lease, and the
// log, still get one.
struct Crowd {
  size_t requests_in_flight, most_large;
};
Task<void> behind_blobs(World* world, Crowd crowd) {
  SlowLine line(world->mem, 256 << 10);
  const auto store = retrying(limited(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(line)),
                                      {.requests_in_flight = crowd.requests_in_flight}),
                              {}, world->random);
  io::Gate gate;
  for (size_t i = 0; i <= crowd.requests_in_flight; ++i)
    io::detach(put_blob(store.get(), "blob" + std::to_string(i), gate.enter()));
  for (int i = 0; i < 5; ++i) {
    co_await io::sleep_for(kSecondNs);
    const auto found = co_await store->head("fence", io::within(15 * kSecondNs));
    EXPECT_EQ(found.error(), Code::kNotFound) << found.error().to_string();
    const auto got = co_await store->get("fence", 0, 100, io::within(15 * kSecondNs));
    EXPECT_EQ(got.error(), Code::kNotFound) << got.error().to_string();
    const auto put = co_await store->put("log", Content("changes"), {}, io::within(15 * kSecondNs));
    EXPECT_TRUE(put) << put.error().to_string();
  }
  co_await gate.close();
  EXPECT_EQ(line.most_large, crowd.most_large);
}
TEST(Limited, KeepsTurnsForWhatIsSmall) {
  for (const Crowd crowd : {Crowd{1, 1}, Crowd{2, 1}, Crowd{4, 3}, Crowd{16, 14}}) {
    SCOPED_TRACE(crowd.requests_in_flight);
    World world;
    world.run(behind_blobs(&world, crowd));
  }
}

Task<void> head_and_count(ObjectStore* store, size_t* answered, io::Gate::Entry) {
  EXPECT_EQ((co_await store->head("fence", {})).error(), Code::kNotFound);
  ++*answered;
}
// What is small has all of the turns, and no more, when there is nothing else.
Task<void> small_alone(World* world) {
  class OneSecond final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
      co_await io::sleep_for(kSecondNs);
      co_return co_await ForwardingStore::head(std::move(key), until);
    }
  } second(world->mem);
  for (const size_t count : {1u, 2u, 16u}) {
    const auto store =
        limited(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(second)), {.requests_in_flight = count});
    io::Gate gate;
    size_t answered = 0;
    for (size_t i = 0; i < 3 * count; ++i) io::detach(head_and_count(store.get(), &answered, gate.enter()));
    co_await io::sleep_for(kSecondNs * 3 / 2);
    EXPECT_EQ(answered, count);
    co_await gate.close();
  }
}
TEST(Limited, WhatIsSmallMayHaveAllTurns) {
  World world;
  world.run(small_alone(&world));
}

// A thread on which time passes while it runs, as on a real one.
class Running final : public io::Reactor, private Clock {
 public:
  Running() : resting_(*io::Reactor::current()) { bind_current(this); }
  ~Running() override { bind_current(&resting_); }
  void post(std::coroutine_handle<> handle) override { resting_.post(handle); }
  uint64_t add_timer(int64_t deadline_ns, std::coroutine_handle<> handle) override {
    return resting_.add_timer(deadline_ns, handle);
  }
  bool cancel_timer(uint64_t timer) override { return resting_.cancel_timer(timer); }
  Clock& clock() override { return *this; }
  unsigned index() const override { return resting_.index(); }
  void run() override {}
  void stop() override {}

 private:
  Timestamp now() override { return resting_.clock().now(); }
  int64_t monotonic_ns() override {
    CHECK(++ran_us_ < 1000);  // it would never end
    return resting_.clock().monotonic_ns() + 1000 * ran_us_;
  }

  io::Reactor& resting_;
  int64_t ran_us_ = 0;
};

// However well the line moves.
Task<void> too_late() {
  const auto now_ns = [] { return io::Reactor::current()->clock().monotonic_ns(); };
  Turns turns(1);
  io::Until whenever;
  const auto taken = co_await turns.take(Turns::Weight::kHeavy, &whenever);
  CO_REQUIRE(taken);
  co_await io::sleep_for(2 * Turns::kPatienceNs);
  for (const int64_t left_ns : {-kSecondNs, int64_t{-1}, int64_t{0}, int64_t{10'000}}) {
    taken->note_success();
    const int64_t asked_ns = now_ns();
    io::Until until{.deadline_ns = asked_ns + left_ns};
    {
      const Running running;
      EXPECT_EQ((co_await turns.take(Turns::Weight::kHeavy, &until)).error(), Code::kTimedOut);
    }
    EXPECT_EQ(now_ns(), asked_ns) << left_ns;
  }
  io::Until late{.deadline_ns = now_ns() - 1};
  EXPECT_TRUE(co_await turns.take(Turns::Weight::kLight, &late)) << "there is one for whoever asks, and no wait";
}
TEST(Turns, WhoseDeadlineIsPastDoesNotWait) {
  World world;
  world.run(too_late());
}

Task<void> ask_for_ever(ObjectStore* store, io::CancelToken* end, io::Gate::Entry) {
  while (!end->cancelled()) (void)co_await store->head("fence", {});
}
// As a collector removes a great many objects.
Task<void> large_beside_small(World* world) {
  class OneSecond final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    Task<Result<ObjectInfo>> head(std::string key, io::Until until) override {
      co_await io::sleep_for(kSecondNs);
      co_return co_await ForwardingStore::head(std::move(key), until);
    }
  } second(world->mem);
  for (const size_t count : {2u, 4u, 16u}) {
    const auto store =
        limited(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(second)), {.requests_in_flight = count});
    io::Gate gate;
    io::CancelToken end;
    for (size_t i = 0; i < 2 * count; ++i) io::detach(ask_for_ever(store.get(), &end, gate.enter()));
    co_await io::sleep_for(kSecondNs * 3 / 2);
    const int64_t begun_ns = io::Reactor::current()->clock().monotonic_ns();
    for (size_t i = 0; i < 3; ++i)
      CO_REQUIRE(co_await store->put("k", Content(std::string(kMebibyte, 'x')), {}, io::within(1000 * kSecondNs)));
    EXPECT_LT(io::Reactor::current()->clock().monotonic_ns() - begun_ns, 5 * kSecondNs);
    end.cancel();
    co_await gate.close();
  }
}
TEST(Limited, WhatIsLargeHasATurnBesideWhatIsSmall) {
  World world;
  world.run(large_beside_small(&world));
}

// As retrying() asks: with what the body takes in the deadline.
Task<void> get_behind_others(ObjectStore* store, io::Gate::Entry) {
  const int64_t begun_ns = io::Reactor::current()->clock().monotonic_ns();
  const auto got = co_await store->get("k", 0, 4 * kMebibyte, io::within(1000 * kSecondNs));
  EXPECT_EQ(got.error(), Code::kTimedOut);
  EXPECT_LE(io::Reactor::current()->clock().monotonic_ns() - begun_ns, 60 * kSecondNs);
}
Task<void> behind_what_hangs(World* world) {
  class Hung final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    Task<Result<Fetched>> get(std::string, uint64_t, uint64_t, io::Until until) override {
      co_await io::sleep_for(kStallNs, until.token);
      co_return fail(Code::kTimedOut);
    }
  } hung(world->mem);
  const auto store =
      limited(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(hung)), {.requests_in_flight = 2});
  io::Gate gate;
  for (int i = 0; i < 20; ++i) io::detach(get_behind_others(store.get(), gate.enter()));
  co_await gate.close();
}
TEST(Limited, WaitsForATurnNoLongerThanForAnAnswer) {
  World world;
  world.run(behind_what_hangs(&world));
}

// Nine minutes each, one after the other: none ends while the others wait, but it moves.
Task<void> behind_what_moves(World* world) {
  SlowLine line(world->mem, 128 << 10);
  const auto store =
      retrying(limited(std::make_unique<ForwardingStore>(static_cast<ObjectStore&>(line)), {.requests_in_flight = 1}),
               {}, world->random);
  io::Gate gate;
  for (int i = 0; i < 4; ++i) io::detach(put_blob(store.get(), "blob" + std::to_string(i), gate.enter()));
  co_await gate.close();
  EXPECT_EQ(line.attempts, 4);
}
TEST(Limited, WaitsForWhatMovesThoughItDoesNotEnd) {
  World world;
  world.run(behind_what_moves(&world));
}

}  // namespace
}  // namespace firn::object
