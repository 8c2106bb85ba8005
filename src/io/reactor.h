// io::Reactor: a thread's event loop. Coroutines run on it; nothing may block it.
// Implementations: io/uring (an io_uring per core thread), io/sim (virtual time, seeded).
#pragma once

#include <coroutine>
#include <cstdint>

#include "base/time.h"
#include "io/task.h"

namespace firn::io {

class CancelToken;

class Reactor {
 public:
  virtual ~Reactor() = default;

  // The reactor whose run() is on this thread's stack; null outside one.
  static Reactor* current();

  // Resumes `handle` on this reactor's thread, soon. Thread-safe; never resumes inline.
  virtual void post(std::coroutine_handle<> handle) = 0;
  // The same once what has been submitted so far is with the kernel, and after newer work where there is some (but not
  // for ever). Only on its own thread.
  virtual void post_later(std::coroutine_handle<> handle) { post(handle); }

  // Resumes `handle` at `deadline_ns` (of clock().monotonic_ns()) on this reactor. Only on its own thread.
  // Returns an id for cancel_timer, never 0.
  virtual uint64_t add_timer(int64_t deadline_ns, std::coroutine_handle<> handle) = 0;
  // True when the timer had not fired: its handle will not be resumed by it any more.
  virtual bool cancel_timer(uint64_t timer) = 0;

  virtual Clock& clock() = 0;
  // Position of this reactor among its siblings, from 0.
  virtual unsigned index() const = 0;

  // Runs until stop(). Binds current() for the thread meanwhile.
  virtual void run() = 0;
  // Makes run() return once what is ready has been resumed. Thread-safe.
  virtual void stop() = 0;

 protected:
  static void bind_current(Reactor* reactor);
};

// Suspends for `nanoseconds`; false when `token` (may be null, must outlive the call) was cancelled first.
Task<bool> sleep_for(int64_t nanoseconds, CancelToken* token = nullptr);

// Moves the calling coroutine to `reactor`'s thread.
inline auto switch_to(Reactor& reactor) {
  struct Awaiter {
    Reactor& target;
    bool await_ready() const noexcept { return Reactor::current() == &target; }
    void await_suspend(std::coroutine_handle<> handle) const { target.post(handle); }
    void await_resume() const noexcept {}
  };
  return Awaiter{reactor};
}

// Lets everything else that is ready run first.
inline auto yield() {
  struct Awaiter {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const { Reactor::current()->post(handle); }
    void await_resume() const noexcept {}
  };
  return Awaiter{};
}

// Lets replies go out and newer requests go first: for work that nobody waits for.
inline auto stand_back() {
  struct Awaiter {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) const { Reactor::current()->post_later(handle); }
    void await_resume() const noexcept {}
  };
  return Awaiter{};
}

}  // namespace firn::io
