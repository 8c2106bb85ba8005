// Operation: the coroutine that serves one request. It starts at once, answers the request with what it co_returns,
// and frees itself: one frame per request.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "fuse/door.h"
#include "fuse/exchange.h"
#include "io/frame_pool.h"
#include "io/task.h"

namespace firn::fuse {

// Every operation is a function `Operation name(Door&, Exchange&)`; both outlive it.
struct Operation {
  class promise_type : public io::internal::PooledFrame {
   public:
    promise_type(Door& door, Exchange& exchange) : door_(door), exchange_(exchange) {}
    Operation get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    // The frame's locals die before the reply is sent, so that nothing of this request outlives it.
    auto final_suspend() noexcept {
      struct Finish {
        promise_type& promise;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> handle) const noexcept {
          Door& door = promise.door_;
          Exchange& exchange = promise.exchange_;
          const Outcome outcome = promise.outcome_;
          handle.destroy();
          door.finish(exchange, outcome);
        }
        void await_resume() const noexcept {}
      };
      return Finish{*this};
    }
    void return_value(Outcome outcome) noexcept { outcome_ = outcome; }
    void return_value(Code code) noexcept { outcome_ = Outcome(code); }
    void return_value(const Status& status) noexcept { outcome_ = Outcome(status.code()); }
    void return_value(firn::internal::Failure&& failure) noexcept { outcome_ = Outcome(failure.status.code()); }
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

   private:
    Door& door_;
    Exchange& exchange_;
    Outcome outcome_;
  };
};

}  // namespace firn::fuse
