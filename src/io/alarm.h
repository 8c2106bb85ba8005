// A sleep that others may end.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "io/cancel.h"
#include "io/reactor.h"

namespace firn::io {

// One sleeper at a time; ring() from any thread.
class Alarm {
 public:
  // Ends the sleep under way, or the next one.
  void ring() {
    std::shared_ptr<CancelToken> sleeping;
    {
      std::lock_guard lock(state_mutex_);
      if (sleeping_ == nullptr) rung_ = true;
      sleeping = std::exchange(sleeping_, nullptr);
    }
    if (sleeping != nullptr) sleeping->cancel();
  }

  // Until `nanoseconds` have passed or ring().
  Task<void> sleep(int64_t nanoseconds) {
    auto token = std::make_shared<CancelToken>();
    {
      std::lock_guard lock(state_mutex_);
      if (std::exchange(rung_, false)) co_return;
      sleeping_ = token;
    }
    co_await sleep_for(nanoseconds, token.get());
    std::lock_guard lock(state_mutex_);
    if (sleeping_ == token) sleeping_ = nullptr;
  }

 private:
  std::mutex state_mutex_;  // guards the rest
  bool rung_ = false;
  std::shared_ptr<CancelToken> sleeping_;
};

}  // namespace firn::io
