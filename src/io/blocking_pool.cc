#include "io/blocking_pool.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace firn::io {
namespace {

// What the threads use: theirs, too, because they may outlive the pool.
struct Jobs {
  std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  std::deque<std::function<void()>> waiting;
  bool closing = false;
  unsigned threads = 0;  // that have not come to their ends

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return closing || !waiting.empty(); });
      if (waiting.empty()) break;
      auto job = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // its captures go before the next wait, not after it
      lock.lock();
    }
    --threads;
    changed.notify_all();
  }
};

class ThreadPool final : public BlockingPool {
 public:
  ThreadPool(unsigned threads, int64_t patience_ns) : patience_(patience_ns) {
    CHECK(threads > 0);
    jobs_->threads = threads;
    threads_.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([jobs = jobs_] { jobs->work(); });
  }

  ~ThreadPool() override {
    const bool ended = end();
    for (std::thread& thread : threads_) {
      if (ended)
        thread.join();
      else
        thread.detach();
    }
  }

  void submit(std::function<void()> job) override {
    {
      std::lock_guard lock(jobs_->mutex);
      CHECK(!jobs_->closing);
      jobs_->waiting.push_back(std::move(job));
    }
    jobs_->changed.notify_one();
  }

  size_t queued() const override {
    std::lock_guard lock(jobs_->mutex);
    return jobs_->waiting.size();
  }

 private:
  // Whether the threads have come to their ends.
  bool end() {
    std::unique_lock lock(jobs_->mutex);
    jobs_->closing = true;
    jobs_->changed.notify_all();
    return jobs_->changed.wait_for(lock, patience_, [this] { return jobs_->threads == 0; });
  }

  const std::chrono::nanoseconds patience_;
  const std::shared_ptr<Jobs> jobs_ = std::make_shared<Jobs>();
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<BlockingPool> make_thread_pool(unsigned threads, int64_t patience_ns) {
  return std::make_unique<ThreadPool>(threads, patience_ns);
}

}  // namespace firn::io
