#include "object/wrappers.h"

#include <gtest/gtest.h>

#include <array>

#include "io/sim/sim_reactor.h"
#include "io/sync.h"
#include "io/test_environment.h"
#include "object/mem/mem_store.h"
#include "object/probe.h"
#include "object/testing/faulty_store.h"
#include "object/testing/forwarding_store.h"

namespace firn::object {
namespace {

using io::Task;
using testing::Faults;
using testing::FaultyStore;
using testing::ForwardingStore;

constexpr int64_t kSecondNs = 1'000'000'000;

struct World {
  explicit World(Faults faults, uint64_t seed = 1) : reactor({.seed = seed}), random(seed) {
    faulty = std::make_shared<FaultyStore>(mem, faults, random);
    store = retrying(std::make_unique<ForwardingStore>(*faulty), {.max_attempts = 50}, random);
  }
  template <class T>
  T run(Task<T> task) {
    return io::run_to_end(reactor, std::move(task));
  }
  io::SimReactor reactor;
  SeededRandom random;
  std::shared_ptr<MemStore> mem = std::make_shared<MemStore>();
  std::shared_ptr<FaultyStore> faulty;
  std::unique_ptr<ObjectStore> store;
};

Task<void> storm(World* world) {
  for (int i = 0; i < 50; ++i) {
    const std::string key = "k" + std::to_string(i);
    EXPECT_TRUE(co_await world->store->put(key, Content(key), {.if_absent = true}, {}));
    EXPECT_EQ(co_await get_all(*world->store, key, 100, {}), key);
  }
  EXPECT_EQ(world->mem->sizes().size(), 50u);
}
TEST(Retrying, OutlastsRefusalsAndLostAnswers) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.refused = 0.2, .answer_lost = 0.2, .truncated = 0.1, .max_latency_ns = kSecondNs}, seed);
    world.run(storm(&world));
  }
}

Task<void> foreign_winner(World* world) {
  EXPECT_TRUE(co_await world->mem->put("log/7", Content("theirs"), {}, {}));
  const auto lost = co_await world->store->put("log/7", Content("ours"), {.if_absent = true}, {});
  EXPECT_EQ(lost.error(), Code::kExists);
  EXPECT_EQ(co_await get_all(*world->mem, "log/7", 100, {}), "theirs");
}
TEST(Retrying, DoesNotTakeAnothersObjectForItsOwn) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world({.refused = 0.3, .answer_lost = 0.3}, seed);
    world.run(foreign_winner(&world));
  }
}

Task<void> outage(World* world) {
  world->faulty->set_down(true);
  const int64_t begin = world->reactor.clock().monotonic_ns();
  const auto done = co_await world->store->get("k", 0, 1, io::within(3 * kSecondNs));
  EXPECT_EQ(done.error(), Code::kUnavailable);
  EXPECT_LE(world->reactor.clock().monotonic_ns() - begin, 3 * kSecondNs);
  EXPECT_GT(world->faulty->requests(Kind::kGet), 3u);
}
TEST(Retrying, EndsByItsDeadline) {
  World world({});
  world.run(outage(&world));
}

Task<void> hang(World* world) {
  const auto done = co_await world->store->put("k", Content("x"), {}, io::within(100 * kSecondNs));
  EXPECT_EQ(done.error(), Code::kTimedOut);
  EXPECT_EQ(world->faulty->requests(Kind::kPut), 5u);  // four attempts of a stall each, and what is left
}
TEST(Retrying, GivesUpOnAnAttemptThatHangs) {
  World world({.hung = 1});
  world.run(hang(&world));
}

Task<void> no_use(World* world) {
  EXPECT_EQ((co_await world->store->get("none", 0, 1, {})).error(), Code::kNotFound);
  EXPECT_EQ(world->faulty->requests(Kind::kGet), 1u);
}
TEST(Retrying, TakesAnAnswerForAnAnswer) {
  World world({});
  world.run(no_use(&world));
}

Task<void> cancel_later(io::CancelToken* token) {
  co_await io::sleep_for(kSecondNs);
  token->cancel();
}
Task<void> cancelled(World* world, io::CancelToken* token) {
  world->faulty->set_down(true);
  io::detach(cancel_later(token));
  const int64_t begin = world->reactor.clock().monotonic_ns();
  EXPECT_FALSE(co_await world->store->get("k", 0, 1, {.token = token}));
  EXPECT_LE(world->reactor.clock().monotonic_ns() - begin, 2 * kSecondNs);
}
TEST(Retrying, StopsWhenCancelled) {
  World world({});
  io::CancelToken token;
  world.run(cancelled(&world, &token));
}

Task<void> paced(World* world) {
  const auto store = limited(std::make_unique<ForwardingStore>(*world->mem),
                             {.put_bytes_per_s = 1'000'000, .get_bytes_per_s = 2'000'000});
  const int64_t begin = world->reactor.clock().monotonic_ns();
  for (int i = 0; i < 11; ++i) EXPECT_TRUE(co_await store->put("k", Content(std::string(1'000'000, 'x')), {}, {}));
  const int64_t put_done = world->reactor.clock().monotonic_ns();
  EXPECT_NEAR(static_cast<double>(put_done - begin), 10e9, 1e8);
  for (int i = 0; i < 11; ++i) EXPECT_TRUE(co_await store->get("k", 0, 1'000'000, {}));
  EXPECT_NEAR(static_cast<double>(world->reactor.clock().monotonic_ns() - put_done), 5e9, 1e8);
}
TEST(Limited, KeepsToItsBandwidth) {
  World world({});
  world.run(paced(&world));
}

struct Put {
  Result<void> done = fail(Code::kUnavailable);
  int64_t after_ns = 0;
};
Task<void> put_and_note(ObjectStore* store, uint64_t bytes, Put* put, io::Gate::Entry) {
  const int64_t begin = io::Reactor::current()->clock().monotonic_ns();
  put->done = co_await store->put("k" + std::to_string(bytes), Content(std::string(bytes, 'x')), {},
                                  io::within(600 * kSecondNs));
  put->after_ns = io::Reactor::current()->clock().monotonic_ns() - begin;
}

// Five blobs at 64 KiB a second take more than an hour, and longer than any deadline; what an fsync waits for passes
// them.
Task<void> slow_line(World* world) {
  const auto store = retrying(limited(std::make_unique<ForwardingStore>(*world->mem), {.put_bytes_per_s = 64 << 10}),
                              {}, world->random);
  std::array<Put, 5> blobs;
  Put log;
  io::Gate gate;
  for (size_t i = 0; i < blobs.size(); ++i)
    io::detach(put_and_note(store.get(), (64 << 20) + i, &blobs[i], gate.enter()));
  co_await io::sleep_for(10 * kSecondNs);
  io::detach(put_and_note(store.get(), 4096, &log, gate.enter()));
  co_await gate.close();
  for (const Put& blob : blobs) EXPECT_TRUE(blob.done) << blob.done.error().to_string();
  EXPECT_NEAR(static_cast<double>(blobs[4].after_ns), 4096e9, 1e9);
  EXPECT_TRUE(log.done);
  EXPECT_LT(log.after_ns, kSecondNs);
}
TEST(Limited, SlowLineIsNoFailure) {
  World world({});
  world.run(slow_line(&world));
}

Task<void> cancelled_in_line(World* world, io::CancelToken* token) {
  const auto store = limited(std::make_unique<ForwardingStore>(*world->mem), {.put_bytes_per_s = 1 << 20});
  for (int i = 0; i < 2; ++i) {
    if (i == 1) token->cancel();
    const Result<void> put =
        co_await store->put("k", Content(std::string(1 << 20, 'x')), {}, {.deadline_ns = 0, .token = token});
    EXPECT_EQ(put.has_value(), i == 0);
  }
}
TEST(Limited, GivesUpItsTurnWhenCancelled) {
  World world({});
  io::CancelToken token;
  world.run(cancelled_in_line(&world, &token));
}

Task<void> one_get(ObjectStore* store, io::Gate::Entry) { EXPECT_TRUE(co_await store->head("k", {})); }
Task<void> crowd(World* world) {
  EXPECT_TRUE(co_await world->mem->put("k", Content("x"), {}, {}));
  const auto store = limited(std::make_unique<ForwardingStore>(*world->faulty), {.requests_in_flight = 4});
  const int64_t begin = world->reactor.clock().monotonic_ns();
  io::Gate gate;
  for (int i = 0; i < 40; ++i) io::detach(one_get(store.get(), gate.enter()));
  co_await gate.close();
  EXPECT_NEAR(static_cast<double>(world->reactor.clock().monotonic_ns() - begin), 10e9, 1e6);
}
TEST(Limited, KeepsToItsRequestsInFlight) {
  World world({.min_latency_ns = kSecondNs, .max_latency_ns = kSecondNs});
  world.run(crowd(&world));
}

// All turns are taken by requests that hang: who waits for one ends by its deadline, or when it is cancelled.
Task<void> stuck(World* world) {
  const auto store = limited(std::make_unique<ForwardingStore>(*world->faulty), {.requests_in_flight = 1});
  world->faulty->set_faults({.hung = 1});
  io::Gate gate;
  Put first;
  io::detach(put_and_note(store.get(), 1, &first, gate.enter()));
  const int64_t begin = world->reactor.clock().monotonic_ns();
  EXPECT_EQ((co_await store->head("k", io::within(kSecondNs))).error(), Code::kTimedOut);
  EXPECT_EQ(world->reactor.clock().monotonic_ns() - begin, kSecondNs);
  io::CancelToken token;
  io::detach(cancel_later(&token));
  EXPECT_EQ((co_await store->head("k", {.token = &token})).error(), Code::kInterrupted);
  EXPECT_EQ(world->reactor.clock().monotonic_ns() - begin, 2 * kSecondNs);
  EXPECT_EQ(world->faulty->requests(Kind::kHead), 0u);
  co_await gate.close();
  world->faulty->set_faults({});
  EXPECT_EQ((co_await store->head("k", {})).error(), Code::kNotFound) << "the turn came back";
}
TEST(Limited, WaitsForNobodyWhoHangs) {
  World world({});
  world.run(stuck(&world));
}

// Ten seconds each, one after the other: that others are answered is a reason to wait.
Task<void> get_in_time(ObjectStore* store, io::Gate::Entry) {
  const auto got = co_await store->head("k", io::within(15 * kSecondNs));
  EXPECT_TRUE(got) << got.error().to_string();
}
Task<void> patient(World* world) {
  EXPECT_TRUE(co_await world->mem->put("k", Content("x"), {}, {}));
  const auto store = limited(std::make_unique<ForwardingStore>(*world->faulty), {.requests_in_flight = 1});
  io::Gate gate;
  for (int i = 0; i < 10; ++i) io::detach(get_in_time(store.get(), gate.enter()));
  co_await gate.close();
}
TEST(Limited, WaitsWhileTheLineMoves) {
  World world({.min_latency_ns = 10 * kSecondNs, .max_latency_ns = 10 * kSecondNs});
  world.run(patient(&world));
}

Task<void> counted(ObjectStore* store) {
  EXPECT_TRUE(co_await store->put("k", Content("12345"), {}, {}));
  EXPECT_TRUE(co_await store->get("k", 1, 3, {}));
  EXPECT_FALSE(co_await store->get("none", 0, 1, {}));
}
TEST(Measured, CountsRequestsAndBytes) {
  World world({});
  metrics::Registry registry;
  const auto store = measured(std::make_unique<ForwardingStore>(*world.mem), "cold", registry);
  world.run(counted(store.get()));
  const auto requests = [&](const char* kind, const char* outcome) {
    return registry.counter("firn_object_requests_total", "", {{"store", "cold"}, {"kind", kind}, {"outcome", outcome}})
        .value();
  };
  const auto bytes = [&](const char* kind) {
    return registry.counter("firn_object_bytes_total", "", {{"store", "cold"}, {"kind", kind}}).value();
  };
  EXPECT_EQ(requests("put", "ok"), 1u);
  EXPECT_EQ(requests("get", "ok"), 1u);
  EXPECT_EQ(requests("get", "answer"), 1u);
  EXPECT_EQ(requests("get", "failure"), 0u);
  EXPECT_EQ(bytes("put"), 5u);
  EXPECT_EQ(bytes("get"), 3u);
  EXPECT_EQ(request_counts("cold", registry).requests[size_t(Kind::kGet)], 2u);
  further_requests("cold", registry)(Kind::kGet);
  EXPECT_EQ(requests("get", "further"), 1u);
  EXPECT_EQ(request_counts("cold", registry).requests[size_t(Kind::kGet)], 3u);
}

// What some servers do with a condition that they do not know.
class Unconditional final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Task<Result<void>> put(std::string key, Content content, PutOptions, io::Until until) override {
    return ForwardingStore::put(std::move(key), std::move(content), {}, until);
  }
};

TEST(Probe, RefusesAStoreThatIgnoresConditions) {
  World world({});
  Unconditional careless(*world.mem);
  const auto unfit = world.run(probe(careless, world.random, {}));
  ASSERT_FALSE(unfit);
  EXPECT_EQ(unfit.error(), Code::kNotSupported);
  EXPECT_NE(unfit.error().message().find("only if absent"), std::string::npos) << unfit.error().message();
  EXPECT_TRUE(world.mem->sizes().empty());
}

TEST(Probe, AsksAStoreThatHoldsAVolumeForConditionsAlone) {
  World world({});
  EXPECT_TRUE(world.run(probe_condition(*world.mem, world.random, {})));
  Unconditional careless(*world.mem);
  const auto unfit = world.run(probe_condition(careless, world.random, {}));
  ASSERT_FALSE(unfit);
  EXPECT_EQ(unfit.error(), Code::kNotSupported);
  EXPECT_TRUE(world.mem->sizes().empty());
}

// An answer that was lost looks as if the second had been stored: it is not to be taken for that.
TEST(Probe, TakesNoStoreOnABadLineForUnfit) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world({.refused = 0.3, .answer_lost = 0.3}, seed);
    EXPECT_TRUE(world.run(probe_condition(*world.store, world.random, {})));
    EXPECT_TRUE(world.mem->sizes().empty());
  }
}

// Reads and writes, and removes nothing.
class Keeping final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  Task<Result<void>> remove(std::string, io::Until) override { co_return fail(Code::kAccessDenied); }
};

TEST(Probe, AStoreThatNothingMayBeRemovedFromKeepsWritersApart) {
  World world({});
  Keeping keeping(*world.mem);
  EXPECT_TRUE(world.run(probe_condition(keeping, world.random, {})));
  EXPECT_EQ(world.mem->sizes().size(), 1u);
}

TEST(Probe, RefusesAStoreThatForgets) {
  World world({.forgotten = 1});
  EXPECT_FALSE(world.run(probe(*world.faulty, world.random, {})));
}

TEST(Probe, ReportsAStoreThatIsDown) {
  World world({});
  world.faulty->set_down(true);
  EXPECT_EQ(world.run(probe(*world.faulty, world.random, {})).error(), Code::kUnavailable);
}

Task<void> watch(ObjectStore* store, FaultyStore* faulty, Health* health) {
  EXPECT_EQ(health->report().answered_at, Timestamp());
  EXPECT_FALSE(co_await store->get("none", 0, 1, {}));
  EXPECT_FALSE(health->report().failing) << "that there is none is an answer";
  faulty->set_down(true);
  EXPECT_FALSE(co_await store->put("k", Content("v"), {}, {}));
  EXPECT_TRUE(health->report().failing);
  EXPECT_EQ(health->report().last_failure, Code::kUnavailable);
  faulty->set_down(false);
  EXPECT_TRUE(co_await store->put("k", Content("v"), {}, {}));
  EXPECT_FALSE(health->report().failing);
  EXPECT_EQ(health->report().last_failure, Code::kUnavailable) << "it is remembered";
}
TEST(Watched, AFullStoreIsFullWhateverElseItAnswers) {
  Health health;
  const Status full(Code::kNoSpace, "a full disk"), none;
  health.note(Kind::kPut, full, {});
  health.note(Kind::kGet, none, {});
  health.note(Kind::kHead, Status(Code::kNotFound), {});
  health.note(Kind::kRemove, none, {});
  health.note(Kind::kPut, Status(Code::kInterrupted), {});
  EXPECT_FALSE(health.report().failing);
  EXPECT_TRUE(health.report().full);
  health.note(Kind::kPut, full, {});
  EXPECT_EQ(health.report().full_puts, 2u);
  health.note(Kind::kPut, none, {});
  EXPECT_FALSE(health.report().full);
  EXPECT_EQ(health.report().full_puts, 2u) << "that it was full is remembered";
}
TEST(Watched, KnowsWhetherTheStoreAnswers) {
  World world({});
  Health health;
  metrics::Registry registry;
  const auto store = watched(measured(std::make_unique<ForwardingStore>(*world.faulty), "some", registry), health);
  world.run(watch(store.get(), world.faulty.get(), &health));
  const RequestCounts counts = request_counts("some", registry);
  EXPECT_EQ(counts.requests, (std::array<uint64_t, 4>{2, 1, 0, 0}));
  EXPECT_EQ(counts.failures, (std::array<uint64_t, 4>{1, 0, 0, 0}));
  EXPECT_EQ(counts.bytes, (std::array<uint64_t, 4>{1, 0, 0, 0}));
}

Status is_ours(std::string_view bytes) {
  return bytes == "ours" ? Status() : Status(Code::kNoDevice, "it is another's");
}
Task<void> guard(World* world, ObjectStore* store) {
  EXPECT_EQ((co_await store->put("k", Content("v"), {}, {})).error(), Code::kNoDevice);
  EXPECT_TRUE(world->mem->sizes().empty()) << "nothing is written to a store that is not known to be ours";
  EXPECT_TRUE(co_await world->mem->put("whose", Content("theirs"), {}, {}));
  EXPECT_EQ((co_await store->get("whose", 0, 1, {})).error().message(), "faulty memory: it is another's");
  world->faulty->set_down(true);
  EXPECT_EQ((co_await store->head("k", {})).error(), Code::kUnavailable);
  world->faulty->set_down(false);
  EXPECT_TRUE(co_await world->mem->put("whose", Content("ours"), {}, {}));
  EXPECT_TRUE(co_await store->put("k", Content("v"), {}, {}));
  EXPECT_TRUE(co_await world->mem->remove("whose", {}));
  EXPECT_TRUE(co_await store->remove("k", {})) << "it is asked until it was right once";
}
TEST(Guarded, AsksNothingOfAStrangersStore) {
  World world({});
  const auto store =
      guarded(std::make_unique<ForwardingStore>(*world.faulty), {.key = "whose", .max_bytes = 100, .accept = is_ours});
  world.run(guard(&world, store.get()));
}

}  // namespace
}  // namespace firn::object
