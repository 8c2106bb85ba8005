// What the reactor's own machinery costs. Every request pays several of these.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "io/block_on.h"
#include "io/blocking_pool.h"
#include "io/sync.h"
#include "io/uring/reactor_pool.h"
#include "io/uring/uring_disk.h"

namespace firn::io {
namespace {

Task<int> add_one(int value) { co_return value + 1; }
[[gnu::noinline]] Task<Result<int>> add_one_fallible(int value) { co_return value + 1; }

Task<void> call_loop(benchmark::State* state) {
  int value = 0;
  for (auto _ : *state) value = co_await add_one(value);
  benchmark::DoNotOptimize(value);
}

Task<void> fallible_call_loop(benchmark::State* state) {
  int value = 0;
  for (auto _ : *state) value = (co_await add_one_fallible(value)).value();
  benchmark::DoNotOptimize(value);
}

Task<void> yield_loop(benchmark::State* state) {
  for (auto _ : *state) co_await yield();
}

Task<void> mutex_loop(benchmark::State* state) {
  Mutex mutex;
  for (auto _ : *state) benchmark::DoNotOptimize(co_await mutex.lock());
}

Task<void> gate_loop(benchmark::State* state) {
  Gate gate;
  for (auto _ : *state) benchmark::DoNotOptimize(gate.enter());
  co_return;
}

Task<void> timer_loop(benchmark::State* state) {
  Reactor* reactor = Reactor::current();
  int64_t deadline_ns = reactor->clock().monotonic_ns() + 1'000'000'000'000;
  for (auto _ : *state) reactor->cancel_timer(reactor->add_timer(++deadline_ns, std::noop_coroutine()));
  co_return;
}

Task<void> nop_loop(benchmark::State* state) {
  UringReactor* reactor = UringReactor::current();
  for (auto _ : *state) co_await reactor->submit([](io_uring_sqe* sqe) { io_uring_prep_nop(sqe); });
}

Task<void> nop_with_deadline_loop(benchmark::State* state) {
  UringReactor* reactor = UringReactor::current();
  const Until until = within(1'000'000'000'000);
  for (auto _ : *state) co_await reactor->submit([](io_uring_sqe* sqe) { io_uring_prep_nop(sqe); }, until);
}

Task<void> one_nop(Gate::Entry) {
  co_await UringReactor::current()->submit([](io_uring_sqe* sqe) { io_uring_prep_nop(sqe); });
}

// 32 at a time share one io_uring_enter; the time is per operation.
Task<void> nop_batch_loop(benchmark::State* state) {
  while (state->KeepRunningBatch(32)) {
    Gate gate;
    for (int i = 0; i < 32; ++i) detach(one_nop(gate.enter()));
    co_await gate.close();
  }
}

template <Task<void> (*kLoop)(benchmark::State*)>
void on_one_reactor(benchmark::State& state) {
  auto reactor = UringReactor::create({}).value();
  run_to_end(*reactor, kLoop(&state));
}
BENCHMARK(on_one_reactor<call_loop>)->Name("call");
BENCHMARK(on_one_reactor<fallible_call_loop>)->Name("call_result");
BENCHMARK(on_one_reactor<yield_loop>)->Name("post_and_resume");
BENCHMARK(on_one_reactor<mutex_loop>)->Name("mutex_lock_unlock");
BENCHMARK(on_one_reactor<gate_loop>)->Name("gate_enter_leave");
BENCHMARK(on_one_reactor<timer_loop>)->Name("timer_add_cancel");
BENCHMARK(on_one_reactor<nop_loop>)->Name("nop");
BENCHMARK(on_one_reactor<nop_with_deadline_loop>)->Name("nop_with_deadline");
BENCHMARK(on_one_reactor<nop_batch_loop>)->Name("nop_in_batch_of_32");

Task<void> ping_pong(benchmark::State* state, ReactorPool* pool) {
  for (auto _ : *state) {
    co_await switch_to(pool->reactor(1));
    co_await switch_to(pool->reactor(0));
  }
}

// There and back between two threads that sleep (argument 0) or poll for that many microseconds.
void cross_thread_round_trip(benchmark::State& state) {
  auto pool = ReactorPool::create({.reactors = 2, .spin_us = static_cast<unsigned>(state.range(0))}).value();
  block_on(*pool, ping_pong(&state, pool.get()));
}
BENCHMARK(cross_thread_round_trip)->Arg(0)->Arg(50)->UseRealTime();

Task<void> pool_loop(benchmark::State* state, BlockingPool* pool) {
  for (auto _ : *state) co_await pool->run([] {});
}

void blocking_pool_round_trip(benchmark::State& state) {
  auto reactor = UringReactor::create({}).value();
  auto pool = make_thread_pool(1);
  run_to_end(*reactor, pool_loop(&state, pool.get()));
}
BENCHMARK(blocking_pool_round_trip)->UseRealTime();

enum class Access : uint8_t { kRead, kWrite };

Task<void> file_loop(benchmark::State* state, File* file, Access access) {
  std::vector<std::byte> block(4096);
  (void)co_await file->write(0, block);
  for (auto _ : *state) {
    if (access == Access::kRead) benchmark::DoNotOptimize(co_await file->read(0, block));
    if (access == Access::kWrite) benchmark::DoNotOptimize(co_await file->write(0, block));
  }
}

// 4 KiB of an unlinked temporary file that is in the page cache.
template <Access kAccess>
void cached_file(benchmark::State& state) {
  auto reactor = UringReactor::create({}).value();
  auto pool = make_thread_pool(1);
  FILE* temporary = tmpfile();
  auto file = make_uring_file(dup(fileno(temporary)), *pool);
  run_to_end(*reactor, file_loop(&state, file.get(), kAccess));
  file.reset();
  fclose(temporary);
}
BENCHMARK(cached_file<Access::kRead>)->Name("file_read_4k")->UseRealTime();
BENCHMARK(cached_file<Access::kWrite>)->Name("file_write_4k")->UseRealTime();

}  // namespace
}  // namespace firn::io

BENCHMARK_MAIN();
