// internal::Step and internal::OnCancel: how a timer or a CancelToken, which know only coroutine handles and
// callbacks, reach an operation that is suspended on something else.
#pragma once

#include <coroutine>
#include <utility>

#include "io/cancel.h"
#include "io/reactor.h"
#include "io/task.h"

namespace firn::io::internal {

// A function in the shape of a coroutine handle, so that it can be posted or given to a timer; runs once.
// The owner keeps it alive until the handle has been resumed, or never will be.
class Step {
 public:
  using Function = void (*)(void* argument);

  Step(Function function, void* argument) : handle_(make(function, argument).handle) {}
  ~Step() { handle_.destroy(); }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  std::coroutine_handle<> handle() const { return handle_; }

 private:
  struct Coroutine {
    struct promise_type : PooledFrame {
      Coroutine get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<> handle;
  };
  static Coroutine make(Function function, void* argument) {
    function(argument);
    co_return;
  }

  std::coroutine_handle<> handle_;
};

// Runs `function(argument)` on the reactor that made this, once, after `token` is cancelled.
// co_await finish() before destroying it: afterwards the function has run or never will.
class OnCancel {
 public:
  OnCancel(CancelToken* token, Step::Function function, void* argument)
      : reactor_(Reactor::current()),
        function_(function),
        argument_(argument),
        step_(&OnCancel::run, this),
        scope_(token, [this] { reactor_->post(step_.handle()); }) {}

  auto finish() {
    struct Awaiter {
      OnCancel& self;
      bool await_ready() const { return !self.scope_.release() || self.ran_; }
      void await_suspend(std::coroutine_handle<> handle) const { self.finisher_ = handle; }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

 private:
  static void run(void* argument) {
    auto* self = static_cast<OnCancel*>(argument);
    self->ran_ = true;
    // The step's frame must not go while it runs: a waiting finisher is resumed from the queue.
    if (self->finisher_) return self->reactor_->post(self->finisher_);
    self->function_(self->argument_);
  }

  Reactor* reactor_;
  Step::Function function_;
  void* argument_;
  bool ran_ = false;  // touched on the reactor's thread only, as is finisher_
  std::coroutine_handle<> finisher_;
  Step step_;
  CancelToken::Scope scope_;
};

}  // namespace firn::io::internal
