// Blocking work that may hang (a NAS that went away): the caller stops waiting, the thread is left to itself.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "io/blocking_pool.h"
#include "io/until.h"

namespace firn::object {

// Threads for run_abandonable(), and for nothing else. The destructor gives them `patience_ns` to come to their ends,
// and leaves those that do not to themselves: what hangs in the kernel keeps neither the caller nor the process.
inline std::unique_ptr<io::BlockingPool> make_abandonable_pool(unsigned threads, int64_t patience_ns = 2'000'000'000) {
  return io::make_thread_pool(threads, patience_ns);
}

// What `work` returned, or nullopt when `until` came first; `work` may then still run, or not have begun. So it must
// own all that it touches. Needs a current reactor.
template <class Work>
io::Task<std::optional<std::invoke_result_t<Work>>> run_abandonable(io::BlockingPool& pool, io::Until until,
                                                                    Work work) {
  using T = std::invoke_result_t<Work>;
  struct Shared {
    io::CancelToken finished;
    std::mutex mutex;  // guards the next two
    std::optional<T> result;
    bool abandoned = false;
  };
  auto shared = std::make_shared<Shared>();
  pool.submit([shared, work = std::move(work)]() mutable {
    {
      std::lock_guard lock(shared->mutex);
      if (shared->abandoned) return;
    }
    T result = work();
    {
      std::lock_guard lock(shared->mutex);
      shared->result = std::move(result);
    }
    shared->finished.cancel();
  });
  {
    const io::CancelToken::Scope passed_on(until.token, [shared] { shared->finished.cancel(); });
    co_await io::sleep_for(io::left_ns(until), &shared->finished);
  }
  std::lock_guard lock(shared->mutex);
  shared->abandoned = true;
  co_return std::move(shared->result);
}

}  // namespace firn::object
