#include "io/sync.h"

#include "base/check.h"

namespace firn::io {

using internal::Waiter;
using internal::WaiterList;

namespace {

Waiter* as_waiter(uintptr_t state) { return reinterpret_cast<Waiter*>(state); }
uintptr_t as_state(Waiter* waiter) { return reinterpret_cast<uintptr_t>(waiter); }

// Turns a stack, newest first and ended by `end`, into a list, oldest first.
Waiter* reverse(uintptr_t newest, uintptr_t end) {
  Waiter* list = nullptr;
  while (newest != end) {
    Waiter* waiter = as_waiter(newest);
    newest = as_state(waiter->next);
    waiter->next = std::exchange(list, waiter);
  }
  return list;
}

}  // namespace

bool Mutex::wait(Waiter* waiter) {
  CHECK(waiter->reactor);
  uintptr_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (state == kFree) {
      if (state_.compare_exchange_weak(state, kHeld, std::memory_order_acquire, std::memory_order_relaxed))
        return false;
      continue;
    }
    waiter->next = as_waiter(state);  // kHeld ends the stack
    if (state_.compare_exchange_weak(state, as_state(waiter), std::memory_order_release, std::memory_order_relaxed))
      return true;
  }
}

void Mutex::hand_over() {
  if (!queue_) queue_ = reverse(state_.exchange(kHeld, std::memory_order_acquire), kHeld);
  // The next holder may run at once and read queue_, so it is set before resume(), whose post() orders the two.
  Waiter* next = queue_;
  CHECK(next);  // otherwise unlock() without lock()
  queue_ = next->next;
  next->resume();
}

bool Semaphore::try_acquire(size_t count) {
  std::lock_guard lock(state_mutex_);
  if (!waiters_.empty() || permits_ < count) return false;
  permits_ -= count;
  return true;
}

bool Semaphore::wait(Waiter* waiter) {
  CHECK(waiter->reactor);
  std::lock_guard lock(state_mutex_);
  if (waiters_.empty() && permits_ >= waiter->count) {
    permits_ -= waiter->count;
    return false;
  }
  waiters_.push(waiter);
  return true;
}

void Semaphore::release(size_t count) {
  WaiterList ready;
  {
    std::lock_guard lock(state_mutex_);
    permits_ += count;
    while (!waiters_.empty() && waiters_.front()->count <= permits_) {
      permits_ -= waiters_.front()->count;
      ready.push(waiters_.pop());
    }
  }
  ready.resume_all();
}

size_t Semaphore::available() const {
  std::lock_guard lock(state_mutex_);
  return permits_;
}

Gate::Entry Gate::enter() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if (state & kClosed) return Entry();
  } while (!state_.compare_exchange_weak(state, state + kEntry, std::memory_order_acq_rel, std::memory_order_relaxed));
  return Entry(this);
}

void Gate::leave() {
  uint64_t state = state_.load(std::memory_order_relaxed);
  while (!(state & kClosed))
    if (state_.compare_exchange_weak(state, state - kEntry, std::memory_order_acq_rel, std::memory_order_relaxed))
      return;
  WaiterList ready;
  {
    std::lock_guard lock(closers_mutex_);
    if (state_.fetch_sub(kEntry, std::memory_order_acq_rel) == kEntry + kClosed) std::swap(ready, closers_);
  }
  ready.resume_all();
}

bool Gate::wait(Waiter* waiter) {
  CHECK(waiter->reactor);
  std::lock_guard lock(closers_mutex_);
  if (state_.fetch_or(kClosed, std::memory_order_acq_rel) / kEntry == 0) return false;
  closers_.push(waiter);
  return true;
}

Task<void> Gate::close() {
  struct Awaiter {
    Gate& gate;
    Waiter waiter{};
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) {
      waiter.handle = handle;
      waiter.reactor = Reactor::current();
      return gate.wait(&waiter);
    }
    void await_resume() const noexcept {}
  };
  co_await Awaiter{*this};
}

bool Event::add_waiter(Waiter* waiter) {
  CHECK(waiter->reactor);
  uintptr_t state = state_.load(std::memory_order_acquire);
  do {
    if (state == kSet) return false;
    waiter->next = as_waiter(state);
  } while (
      !state_.compare_exchange_weak(state, as_state(waiter), std::memory_order_acq_rel, std::memory_order_acquire));
  return true;
}

void Event::set() {
  // After the exchange a waiter may destroy this event: only the waiters' own frames are touched from here on.
  const uintptr_t stack = state_.exchange(kSet, std::memory_order_acq_rel);
  if (stack == kSet) return;
  Waiter* waiter = reverse(stack, 0);
  while (waiter) {
    Waiter* next = waiter->next;
    waiter->resume();
    waiter = next;
  }
}

}  // namespace firn::io
