#include "io/reactor.h"

#include "base/check.h"
#include "io/cancel.h"
#include "io/step.h"

namespace firn::io {
namespace {

constinit thread_local Reactor* current_reactor = nullptr;

struct SleepAwaiter {
  Reactor& reactor;
  int64_t deadline_ns;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) { reactor.add_timer(deadline_ns, handle); }
  void await_resume() const noexcept {}
};

// A sleep that a token can end: whoever comes first, the timer or wake_early(), resumes `handle`.
struct CancellableSleep {
  Reactor& reactor;
  int64_t deadline_ns;
  uint64_t timer = 0;
  std::coroutine_handle<> handle = nullptr;
  bool cancelled = false;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    handle = awaiting;
    timer = reactor.add_timer(deadline_ns, awaiting);
  }
  void await_resume() const noexcept {}

  static void wake_early(void* argument) {
    auto* self = static_cast<CancellableSleep*>(argument);
    if (!self->reactor.cancel_timer(self->timer)) return;
    self->cancelled = true;
    self->reactor.post(self->handle);
  }
};

}  // namespace

Reactor* Reactor::current() { return current_reactor; }
void Reactor::bind_current(Reactor* reactor) { current_reactor = reactor; }

Task<bool> sleep_for(int64_t nanoseconds, CancelToken* token) {
  Reactor* reactor = Reactor::current();
  CHECK(reactor);
  const int64_t deadline_ns = reactor->clock().monotonic_ns() + nanoseconds;
  if (!token) {
    co_await SleepAwaiter{*reactor, deadline_ns};
    co_return true;
  }
  if (token->cancelled()) co_return false;
  CancellableSleep sleep{*reactor, deadline_ns};
  internal::OnCancel on_cancel(token, &CancellableSleep::wake_early, &sleep);
  co_await sleep;
  co_await on_cancel.finish();
  co_return !sleep.cancelled;
}

}  // namespace firn::io
