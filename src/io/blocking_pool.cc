#include "io/blocking_pool.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"

namespace firn::io {
namespace {

class ThreadPool final : public BlockingPool {
 public:
  explicit ThreadPool(unsigned threads) {
    CHECK(threads > 0);
    threads_.reserve(threads);
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }

  ~ThreadPool() override {
    {
      std::lock_guard lock(jobs_mutex_);
      closing_ = true;
    }
    job_ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void submit(std::function<void()> job) override {
    {
      std::lock_guard lock(jobs_mutex_);
      CHECK(!closing_);
      jobs_.push_back(std::move(job));
    }
    job_ready_.notify_one();
  }

  size_t queued() const override {
    std::lock_guard lock(jobs_mutex_);
    return jobs_.size();
  }

 private:
  void work() {
    std::unique_lock lock(jobs_mutex_);
    for (;;) {
      job_ready_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;  // its captures go before the next wait, not after it
      lock.lock();
    }
  }

  mutable std::mutex jobs_mutex_;  // guards jobs_ and closing_
  std::condition_variable job_ready_;
  std::deque<std::function<void()>> jobs_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<BlockingPool> make_thread_pool(unsigned threads) { return std::make_unique<ThreadPool>(threads); }

}  // namespace firn::io
