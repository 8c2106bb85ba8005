// Timers, locks and the blocking pool, on the ring and in the simulator alike.
#include <algorithm>
#include <vector>

#include "io/cancel.h"
#include "io/sync.h"
#include "io/test_environment.h"

namespace firn::io {
namespace {

class SyncConformance : public Conformance {
 protected:
  int64_t now_ns() { return environment->reactor().clock().monotonic_ns(); }
};
FIRN_IO_BOTH_WORLDS(SyncConformance);

constexpr int64_t kMs = 1'000'000;

Task<void> note_after(int64_t ns, int value, std::vector<int>* order, Gate::Entry) {
  EXPECT_TRUE(co_await sleep_for(ns));
  order->push_back(value);
}

Task<void> sleepers(std::vector<int>* order) {
  Gate gate;
  for (const int value : {3, 1, 2, 0}) detach(note_after(value * 5 * kMs, value, order, gate.enter()));
  co_await gate.close();
}

TEST_P(SyncConformance, TimersFireInOrderOfTheirDeadlines) {
  std::vector<int> order;
  const int64_t start_ns = now_ns();
  environment->run(sleepers(&order));
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_GE(now_ns() - start_ns, 15 * kMs);
}

Task<void> cancel_after(int64_t ns, CancelToken* token, Gate::Entry) {
  (void)co_await sleep_for(ns);
  token->cancel();
}

Task<bool> cancelled_sleep(int64_t sleep_ns, int64_t cancel_ns) {
  CancelToken token;
  Gate gate;
  detach(cancel_after(cancel_ns, &token, gate.enter()));
  const bool slept = co_await sleep_for(sleep_ns, &token);
  co_await gate.close();
  EXPECT_FALSE(co_await sleep_for(sleep_ns, &token)) << "a cancelled token ends every later sleep at once";
  co_return slept;
}

TEST_P(SyncConformance, ATokenEndsASleep) {
  const int64_t start_ns = now_ns();
  EXPECT_FALSE(environment->run(cancelled_sleep(100'000 * kMs, 2 * kMs)));
  EXPECT_LT(now_ns() - start_ns, 50'000 * kMs);
  EXPECT_TRUE(environment->run(cancelled_sleep(1 * kMs, 5 * kMs)));
}

Task<void> lock_and_note(Mutex* mutex, int value, int* inside, std::vector<int>* order, Gate::Entry) {
  auto guard = co_await mutex->lock();
  EXPECT_EQ(++*inside, 1);
  co_await yield();
  (void)co_await sleep_for(kMs / 10);
  order->push_back(value);
  --*inside;
}

Task<void> lockers(std::vector<int>* order) {
  Mutex mutex;
  Gate gate;
  int inside = 0;
  for (int i = 0; i < 20; ++i) detach(lock_and_note(&mutex, i, &inside, order, gate.enter()));
  EXPECT_FALSE(mutex.try_lock());
  co_await gate.close();
  EXPECT_TRUE(mutex.try_lock());
}

TEST_P(SyncConformance, AMutexIsExclusiveAndFair) {
  std::vector<int> order;
  environment->run(lockers(&order));
  ASSERT_EQ(order.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

Task<void> take_permits(Semaphore* semaphore, size_t count, size_t* used, std::vector<size_t>* order, Gate::Entry) {
  co_await semaphore->acquire(count);
  *used += count;
  EXPECT_LE(*used, 4u);
  order->push_back(count);
  (void)co_await sleep_for(kMs / 10);
  *used -= count;
  semaphore->release(count);
}

Task<void> permits(std::vector<size_t>* order) {
  Semaphore semaphore(4);
  Gate gate;
  size_t used = 0;
  for (const size_t count : std::vector<size_t>{3, 1, 4, 1, 1, 2, 4, 3})
    detach(take_permits(&semaphore, count, &used, order, gate.enter()));
  EXPECT_FALSE(semaphore.try_acquire(1)) << "nobody overtakes those who wait";
  co_await gate.close();
  EXPECT_EQ(semaphore.available(), 4u);
}

TEST_P(SyncConformance, ASemaphoreGrantsInOrderOfArrival) {
  std::vector<size_t> order;
  environment->run(permits(&order));
  EXPECT_EQ(order, (std::vector<size_t>{3, 1, 4, 1, 1, 2, 4, 3}));
}

Task<void> wait_for(Event* event, int* count, Gate::Entry) {
  co_await event->wait();
  ++*count;
}

Task<void> events() {
  Event event;
  Gate gate;
  int count = 0;
  for (int i = 0; i < 5; ++i) detach(wait_for(&event, &count, gate.enter()));
  co_await yield();
  EXPECT_EQ(count, 0);
  event.set();
  event.set();
  co_await event.wait();
  co_await gate.close();
  EXPECT_EQ(count, 5);
}
TEST_P(SyncConformance, AnEventReleasesEveryone) { environment->run(events()); }

Task<void> close_gate(Gate* gate, bool* closed, Gate::Entry) {
  co_await gate->close();
  *closed = true;
}

Task<void> gates() {
  Gate gate, closers;
  bool closed_a = false, closed_b = false;
  {
    const auto entry = gate.enter();
    EXPECT_TRUE(entry);
    detach(close_gate(&gate, &closed_a, closers.enter()));
    detach(close_gate(&gate, &closed_b, closers.enter()));
    (void)co_await sleep_for(kMs);
    EXPECT_TRUE(gate.closed());
    EXPECT_FALSE(gate.enter());
    EXPECT_FALSE(closed_a || closed_b);
  }
  co_await closers.close();
  EXPECT_TRUE(closed_a && closed_b);
  co_await gate.close();
}
TEST_P(SyncConformance, AGateClosesWhenTheLastHasLeft) { environment->run(gates()); }

Task<int> in_pool(BlockingPool* pool) {
  Reactor* here = Reactor::current();
  int sum = 0;
  for (int i = 0; i < 50; ++i) sum += co_await pool->run([i] { return i; });
  co_await pool->run([&sum] { sum += 1000; });
  EXPECT_EQ(Reactor::current(), here);
  co_return sum;
}

TEST_P(SyncConformance, ThePoolRunsWorkAndComesBack) {
  EXPECT_EQ(environment->run(in_pool(&environment->pool())), 1000 + 49 * 50 / 2);
}

Task<void> spin_until(const bool* done, int* rounds, Gate::Entry) {
  while (!*done) {
    ++*rounds;
    co_await yield();
  }
}

Task<void> fair_yield(TestEnvironment* env) {
  bool done = false;
  int rounds = 0;
  Gate gate;
  detach(spin_until(&done, &rounds, gate.enter()));
  for (int i = 0; i < 10; ++i) co_await yield();
  EXPECT_GE(rounds, 9);
  EXPECT_EQ(co_await env->pool().run([] { return 7; }), 7) << "one that yields for ever starves nobody";
  done = true;
  co_await gate.close();
}

TEST(SyncUring, YieldingStarvesNobody) {
  auto environment = make_uring_environment();
  environment->run(fair_yield(environment.get()));
}

}  // namespace
}  // namespace firn::io
