// io::ReactorPool: a UringReactor on each of several threads.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/status.h"
#include "io/block_on.h"
#include "io/uring/uring_reactor.h"

namespace firn::io {

struct ReactorPoolOptions {
  unsigned reactors = 0;    // 0: one for each processor this process may use
  unsigned entries = 1024;  // UringOptions
  unsigned spin_us = 0;     // UringOptions
};

class ReactorPool {
 public:
  // The threads run when this returns. Each is pinned when there are as many as processors.
  static Result<std::unique_ptr<ReactorPool>> create(ReactorPoolOptions options);
  // Stops and joins. Work must have ended before (Gate): what is still suspended is never resumed.
  ~ReactorPool();

  unsigned size() const { return static_cast<unsigned>(reactors_.size()); }
  UringReactor& reactor(unsigned index) { return *reactors_[index]; }
  std::vector<Reactor*> all() const;

  // What reactor `index` has used of its processor, in nanoseconds; spinning counts. Thread-safe until stop().
  int64_t cpu_ns(unsigned index);

  // Starts `task` on reactor `index` and lets it run on by itself; see detach(). Thread-safe.
  void run_on(unsigned index, Task<void> task) { detach_on(reactor(index), std::move(task)); }
  // Idempotent; not from a reactor's thread.
  void stop();

 private:
  ReactorPool() = default;

  std::vector<std::unique_ptr<UringReactor>> reactors_;
  std::vector<std::thread> threads_;
};

// Runs `task` on the first reactor and waits for its result. Never call it on a reactor's thread.
template <class T>
T block_on(ReactorPool& pool, Task<T> task) {
  return block_on(pool.reactor(0), std::move(task));
}

}  // namespace firn::io
