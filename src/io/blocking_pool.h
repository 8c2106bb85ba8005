// io::BlockingPool: threads for what has no asynchronous form (RocksDB disk misses, log sync, name resolution).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "io/reactor.h"
#include "io/until.h"

namespace firn::io {

class BlockingPool {
 public:
  virtual ~BlockingPool() = default;
  // Runs `work` off the reactor, then resumes the caller on the reactor it came from.
  // `work` is moved into the pool; its captures must stay valid until it has run. Needs a current reactor.
  template <class Work>
  Task<std::invoke_result_t<Work>> run(Work work);

  // Runs `job` on some thread of the pool. Thread-safe. The queue is bounded only by memory; its length is a metric.
  virtual void submit(std::function<void()> job) = 0;
  // Jobs that wait for a thread, for metrics.
  virtual size_t queued() const = 0;
};

// `threads` real threads. They come to their ends once the queue is drained, which the destructor waits for, for
// `patience_ns` at most: then they are left to themselves with what is in the queue, which must own all that it
// touches.
std::unique_ptr<BlockingPool> make_thread_pool(unsigned threads, int64_t patience_ns = kForeverNs);

template <class Work>
Task<std::invoke_result_t<Work>> BlockingPool::run(Work work) {
  using T = std::invoke_result_t<Work>;
  struct Awaiter {
    BlockingPool& pool;
    Work& work;
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> result;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      pool.submit([this, handle, reactor = Reactor::current()] {
        // Once posted, the caller may be gone, and this awaiter with it.
        if constexpr (std::is_void_v<T>) {
          work();
        } else {
          result.emplace(work());
        }
        reactor->post(handle);
      });
    }
    T await_resume() {
      if constexpr (!std::is_void_v<T>) return *std::move(result);
    }
  };
  co_return co_await Awaiter{*this, work, std::nullopt};
}

}  // namespace firn::io
