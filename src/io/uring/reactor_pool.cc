#include "io/uring/reactor_pool.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

namespace firn::io {
namespace {

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  return cpus;
}

}  // namespace

Result<std::unique_ptr<ReactorPool>> ReactorPool::create(ReactorPoolOptions options) {
  std::unique_ptr<ReactorPool> pool(new ReactorPool);
  const auto cpus = usable_cpus();
  const size_t count = options.reactors ? options.reactors : cpus.size();
  for (unsigned i = 0; i < count; ++i) {
    UringOptions one{.index = i, .entries = options.entries, .spin_us = options.spin_us};
    if (count == cpus.size()) one.cpu = cpus[i];
    pool->reactors_.push_back(TRY(UringReactor::create(one)));
  }
  for (auto& reactor : pool->reactors_) pool->threads_.emplace_back([raw = reactor.get()] { raw->run(); });
  return pool;
}

std::vector<Reactor*> ReactorPool::all() const {
  std::vector<Reactor*> all;
  for (const auto& reactor : reactors_) all.push_back(reactor.get());
  return all;
}

int64_t ReactorPool::cpu_ns(unsigned index) {
  clockid_t clock{};
  timespec used{};
  if (pthread_getcpuclockid(threads_[index].native_handle(), &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

ReactorPool::~ReactorPool() { stop(); }

void ReactorPool::stop() {
  for (auto& reactor : reactors_) reactor->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace firn::io
