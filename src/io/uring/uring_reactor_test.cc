// What only a reactor on real threads can get wrong: posts and locks across threads, cancellation races, the ring's
// limits.
#include "io/uring/uring_reactor.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "base/random.h"
#include "io/sync.h"
#include "io/uring/reactor_pool.h"

namespace firn::io {
namespace {

constexpr int64_t kMs = 1'000'000;

std::unique_ptr<ReactorPool> pool_of(unsigned reactors, unsigned spin_us = 0) {
  return ReactorPool::create({.reactors = reactors, .entries = 64, .spin_us = spin_us}).value();
}

Task<void> hop(ReactorPool* pool, int hops, std::atomic<int>* total, Gate::Entry) {
  for (int i = 0; i < hops; ++i) {
    UringReactor& target = pool->reactor(static_cast<unsigned>(i) % pool->size());
    co_await switch_to(target);
    EXPECT_EQ(UringReactor::current(), &target);
    total->fetch_add(1, std::memory_order_relaxed);
  }
}

Task<void> close_gate(Gate* gate) { co_await gate->close(); }

TEST(UringReactor, SurvivesAStormOfPostsBetweenReactors) {
  auto pool = pool_of(3);
  std::atomic<int> total = 0;
  Gate gate;
  for (unsigned i = 0; i < 64; ++i) pool->run_on(i % 3, hop(pool.get(), 300, &total, gate.enter()));
  block_on(*pool, close_gate(&gate));
  EXPECT_EQ(total, 64 * 300);
}

Task<void> count_one(std::atomic<int>* total, Gate::Entry) {
  total->fetch_add(1, std::memory_order_relaxed);
  co_return;
}

void storm_from_threads(unsigned spin_us) {
  auto pool = pool_of(2, spin_us);
  std::atomic<int> total = 0;
  Gate gate;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (unsigned i = 0; i < 3000; ++i) pool->run_on(i % 2, count_one(&total, gate.enter()));
    });
  for (auto& thread : threads) thread.join();
  block_on(*pool, close_gate(&gate));
  EXPECT_EQ(total, 4 * 3000);
}

TEST(UringReactor, SurvivesAStormOfPostsFromThreads) { storm_from_threads(0); }
TEST(UringReactor, SurvivesAStormOfPostsWhileItSpins) { storm_from_threads(20); }

// A lost wake-up would leave the reactor asleep and this test hanging.
TEST(UringReactor, WakesUpForEveryPost) {
  auto pool = pool_of(1);
  for (int i = 0; i < 3000; ++i) {
    std::atomic<int> total = 0;
    Gate gate;
    block_on(*pool, count_one(&total, gate.enter()));
    EXPECT_EQ(total, 1);
  }
}

TEST(UringReactor, MayBeDestroyedAsSoonAsItsWorkIsDone) {
  for (int i = 0; i < 100; ++i) {
    auto pool = pool_of(1 + static_cast<unsigned>(i) % 2);
    std::atomic<int> total = 0;
    Gate gate;
    block_on(*pool, count_one(&total, gate.enter()));
  }
}

struct Shared {
  Mutex mutex;
  Semaphore semaphore{2};
  int inside = 0;            // guarded by mutex
  uint64_t sum = 0;          // guarded by mutex
  std::atomic<int> holders;  // of the semaphore
};

Task<void> contend(Shared* shared, int rounds, Gate::Entry) {
  for (int i = 0; i < rounds; ++i) {
    {
      auto guard = co_await shared->mutex.lock();
      EXPECT_EQ(++shared->inside, 1);
      if (i % 7 == 0) co_await yield();
      ++shared->sum;
      --shared->inside;
    }
    co_await shared->semaphore.acquire();
    EXPECT_LE(++shared->holders, 2);
    if (i % 5 == 0) co_await yield();
    --shared->holders;
    shared->semaphore.release();
  }
}

TEST(UringReactor, LocksHoldAcrossThreads) {
  auto pool = pool_of(4);
  Shared shared;
  Gate gate;
  for (unsigned i = 0; i < 32; ++i) pool->run_on(i % 4, contend(&shared, 300, gate.enter()));
  block_on(*pool, close_gate(&gate));
  EXPECT_EQ(shared.sum, 32u * 300u);
}

Task<void> wait_event(Event* event, std::atomic<int>* count, Gate::Entry) {
  co_await event->wait();
  ++*count;
}

TEST(UringReactor, EventsAndGatesRaceCleanly) {
  auto pool = pool_of(3);
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> count = 0;
    auto gate = std::make_unique<Gate>();
    auto event = std::make_unique<Event>();
    for (unsigned i = 0; i < 6; ++i) pool->run_on(i % 3, wait_event(event.get(), &count, gate->enter()));
    event->set();
    block_on(*pool, close_gate(gate.get()));
    gate.reset();
    event.reset();
    EXPECT_EQ(count, 6);
  }
}

struct Pipe {
  Pipe() { EXPECT_EQ(pipe(fds.data()), 0); }
  ~Pipe() {
    close(fds[0]);
    close(fds[1]);
  }
  std::array<int, 2> fds{};
};

Task<int32_t> read_pipe(int fd, std::array<char, 8>* buffer, Until until) {
  co_return co_await UringReactor::current()->submit(
      [fd, buffer](io_uring_sqe* sqe) { io_uring_prep_read(sqe, fd, buffer->data(), 8, 0); }, until);
}

Task<int32_t> read_within(int fd, std::array<char, 8>* buffer, int64_t ns) {
  co_return co_await read_pipe(fd, buffer, within(ns));
}

TEST(UringReactor, ADeadlineEndsAnOperation) {
  auto reactor = UringReactor::create({}).value();
  Pipe pipe;
  std::array<char, 8> buffer{};
  const int64_t start_ns = system_clock().monotonic_ns();
  EXPECT_EQ(run_to_end(*reactor, read_within(pipe.fds[0], &buffer, 5 * kMs)), -ETIME);
  EXPECT_GE(system_clock().monotonic_ns() - start_ns, 5 * kMs);
  ASSERT_EQ(write(pipe.fds[1], "abc", 3), 3);
  EXPECT_EQ(run_to_end(*reactor, read_within(pipe.fds[0], &buffer, 10'000 * kMs)), 3);
}

Task<int32_t> read_cancelled_before(int fd, std::array<char, 8>* buffer) {
  CancelToken token;
  token.cancel();
  co_return co_await read_pipe(fd, buffer, {.token = &token});
}

TEST(UringReactor, ACancelledTokenRefusesTheOperation) {
  auto reactor = UringReactor::create({}).value();
  Pipe pipe;
  std::array<char, 8> buffer{};
  ASSERT_EQ(write(pipe.fds[1], "abc", 3), 3);
  EXPECT_EQ(run_to_end(*reactor, read_cancelled_before(pipe.fds[0], &buffer)), -ECANCELED);
  EXPECT_EQ(buffer[0], 0);
}

// Data, deadline and token race from two threads: each outcome is legal, but data must be neither lost nor torn,
// and nothing may be touched after the operation returned (which the sanitizers watch).
TEST(UringReactor, CancellationRacesLoseNothing) {
  const uint64_t seed = 77;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  SeededRandom random(seed);
  auto pool = pool_of(1);
  int reads = 0, cancels = 0, timeouts = 0;
  for (int round = 0; round < 2000; ++round) {
    Pipe pipe;
    CancelToken token;
    auto buffer = std::make_unique<std::array<char, 8>>();
    const auto pauses = random.below(200);
    std::thread rival([&, order = random.below(2)] {
      for (uint64_t i = 0; i < pauses; ++i) __builtin_ia32_pause();
      if (order == 0) EXPECT_EQ(write(pipe.fds[1], "12345678", 8), 8);
      token.cancel();
      if (order != 0) EXPECT_EQ(write(pipe.fds[1], "12345678", 8), 8);
    });
    const int64_t deadline_ns = system_clock().monotonic_ns() + static_cast<int64_t>(random.below(200'000));
    const int32_t result =
        block_on(*pool, read_pipe(pipe.fds[0], buffer.get(), {.deadline_ns = deadline_ns, .token = &token}));
    rival.join();
    ASSERT_TRUE(result == 8 || result == -ECANCELED || result == -ETIME) << result;
    if (result != 8) EXPECT_EQ(read(pipe.fds[0], buffer->data(), 8), 8) << "a cancelled read took the data";
    EXPECT_EQ(std::string_view(buffer->data(), 8), "12345678");
    ++(result == 8 ? reads : result == -ETIME ? timeouts : cancels);
  }
  EXPECT_GT(reads + timeouts, 0);
  EXPECT_GT(cancels, 0);
}

Task<void> cancel_soon(CancelToken* token) {
  (void)co_await sleep_for(1000);
  token->cancel();
}

TEST(UringReactor, SleepsRaceWithTokensFromOtherThreads) {
  auto pool = pool_of(2);
  for (int round = 0; round < 1000; ++round) {
    CancelToken token;
    pool->run_on(1, cancel_soon(&token));
    (void)block_on(*pool, sleep_for(round % 50 * 1000, &token));
    while (!token.cancelled()) std::this_thread::yield();
    // cancel() may still be on its way out; the token must outlive it.
    block_on(pool->reactor(1), []() -> Task<void> { co_return; }());
  }
}

Task<void> nop(int* done, Gate::Entry) {
  EXPECT_EQ(co_await UringReactor::current()->submit([](io_uring_sqe* sqe) { io_uring_prep_nop(sqe); }), 0);
  ++*done;
}

Task<int> many_nops(int count) {
  Gate gate;
  int done = 0;
  for (int i = 0; i < count; ++i) detach(nop(&done, gate.enter()));
  co_await gate.close();
  co_return done;
}

TEST(UringReactor, MoreOperationsThanTheQueueHoldsAreFine) {
  auto reactor = UringReactor::create({.entries = 16}).value();
  EXPECT_EQ(run_to_end(*reactor, many_nops(10'000)), 10'000);
}

struct Multishot : Completion {
  int completions = 0;
  bool more = true;
};

Task<void> poll_many(int fd, Multishot* poll) {
  poll->complete = [](Completion* self, int32_t, uint32_t flags) {
    auto* multishot = static_cast<Multishot*>(self);
    ++multishot->completions;
    multishot->more = (flags & IORING_CQE_F_MORE) != 0;
  };
  io_uring_sqe* sqe = UringReactor::current()->sqe();
  io_uring_prep_poll_multishot(sqe, fd, POLLIN);
  sqe->user_data = reinterpret_cast<uint64_t>(static_cast<Completion*>(poll));
  for (int i = 0; i < 5; ++i) {
    (void)co_await sleep_for(kMs);
    eventfd_write(fd, 1);
  }
  (void)co_await sleep_for(kMs);
  UringReactor::current()->request_cancel(poll);
  while (poll->more) (void)co_await sleep_for(kMs);
}

TEST(UringReactor, DeliversEveryCompletionOfAMultishot) {
  auto reactor = UringReactor::create({}).value();
  const int fd = eventfd(0, EFD_CLOEXEC);
  Multishot poll;
  run_to_end(*reactor, poll_many(fd, &poll));
  close(fd);
  EXPECT_EQ(poll.completions, 6);
}

Task<void> sleep_long(int64_t ns) { (void)co_await sleep_for(ns); }

TEST(UringReactor, CallsTheSubmitHookBeforeItSleeps) {
  auto reactor = UringReactor::create({}).value();
  int calls = 0;
  reactor->set_submit_hook([&calls] { ++calls; });
  run_to_end(*reactor, sleep_long(5 * kMs));
  EXPECT_GE(calls, 1);
  EXPECT_LE(calls, 20) << "an idle reactor sleeps";
}

// `submitted`: how many each call of the hook found that the kernel had not been given.
Task<void> submit_in_a_round(const std::vector<unsigned>* submitted) {
  UringReactor* reactor = UringReactor::current();
  for (int i = 0; i < 2; ++i) co_await yield();  // what the reactor itself had to submit has gone
  const size_t before = submitted->size();
  for (int i = 0; i < 9; ++i) io_uring_prep_nop(reactor->sqe());
  EXPECT_EQ(submitted->size(), before + 1) << "the queue was full";
  EXPECT_EQ(submitted->back(), 8u);
  reactor->flush();
  EXPECT_EQ(submitted->size(), before + 2);
  EXPECT_EQ(submitted->back(), 1u);
  reactor->flush();
  EXPECT_EQ(submitted->size(), before + 2) << "there is nothing to submit";
}

TEST(UringReactor, CallsTheSubmitHookBeforeAnyEntryLeaves) {
  auto reactor = UringReactor::create({.entries = 8}).value();
  std::vector<unsigned> submitted;
  reactor->set_submit_hook([&] { submitted.push_back(io_uring_sq_ready(reactor->ring())); });
  run_to_end(*reactor, submit_in_a_round(&submitted));
}

Task<void> note_sqe(bool* zeroed) {
  UringReactor* reactor = UringReactor::current();
  const size_t bytes = reactor->has_sqe128() ? 128 : 64;
  for (int i = 0; i < 100; ++i) {
    io_uring_sqe* sqe = reactor->sqe();
    for (size_t b = 0; b < bytes; ++b) *zeroed &= reinterpret_cast<const char*>(sqe)[b] == 0;
    memset(static_cast<void*>(sqe), 0x55, bytes);
    memset(static_cast<void*>(sqe), 0, 64);
    io_uring_prep_nop(sqe);
    co_await yield();
  }
}

TEST(UringReactor, HandsOutZeroedEntries) {
  auto reactor = UringReactor::create({.entries = 8}).value();
  bool zeroed = true;
  run_to_end(*reactor, note_sqe(&zeroed));
  EXPECT_TRUE(zeroed);
}

}  // namespace
}  // namespace firn::io
