// Several tasks at once, but not too many.
#pragma once

#include <cstddef>
#include <functional>

#include "io/sync.h"

namespace firn::tier {

namespace internal {

struct Crowd {
  explicit Crowd(size_t limit) : free(limit) {}
  io::Semaphore free;
  io::Gate gate;
  Result<void> result;
};

inline io::Task<void> run_one(Crowd& crowd, io::Task<Result<void>> task, io::Gate::Entry) {
  Result<void> done = co_await std::move(task);
  if (!done && crowd.result) crowd.result = std::move(done);
  crowd.free.release();
}

}  // namespace internal

// Runs work(0) to work(count - 1), up to `limit` at a time. After a failure no more are started; the first one is
// returned once all have ended.
inline io::Task<Result<void>> concurrently(size_t count, size_t limit,
                                           std::function<io::Task<Result<void>>(size_t index)> work) {
  internal::Crowd crowd(limit);
  for (size_t index = 0; index < count; ++index) {
    co_await crowd.free.acquire();
    if (!crowd.result) break;
    io::detach(internal::run_one(crowd, work(index), crowd.gate.enter()));
  }
  co_await crowd.gate.close();
  co_return std::move(crowd.result);
}

}  // namespace firn::tier
