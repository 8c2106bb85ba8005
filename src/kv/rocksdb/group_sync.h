// One sync of the log serves everybody who waits for it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>

#include "io/sync.h"
#include "kv/kv.h"

namespace firn::kv::rocks {

// Thread-safe. The first waiter runs the sync; whoever comes meanwhile shares the next one, led by one of them.
class GroupSync {
 public:
  // `sync_all` makes every commit so far durable and returns the version that it covers.
  GroupSync(Version synced, std::function<io::Task<Result<Version>>()> sync_all)
      : sync_all_(std::move(sync_all)), synced_(synced) {}

  io::Task<Result<void>> sync(Version version);
  Version synced_version() const { return synced_.load(std::memory_order_acquire); }

 private:
  // Waits for the running sync to end; does not suspend, and makes the caller leader, when none runs.
  struct Turn {
    GroupSync& group;
    bool leader = false;
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle);
    bool await_resume() const noexcept { return leader; }
  };
  void end_turn();

  std::function<io::Task<Result<Version>>()> sync_all_;
  std::atomic<Version> synced_;
  std::mutex turn_mutex_;  // guards running_ and waiters_
  bool running_ = false;
  std::deque<io::internal::Waiter> waiters_;
};

}  // namespace firn::kv::rocks
