// Coroutine synchronisation that works across reactors: a waiter is resumed on the reactor it waited on.
// Nothing here allocates: a waiter is a link in the frame of the coroutine that waits.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "io/reactor.h"
#include "io/task.h"

namespace firn::io {

namespace internal {

// A suspended coroutine, where to resume it, and a link for the list that it waits in.
struct Waiter {
  std::coroutine_handle<> handle;
  Reactor* reactor = nullptr;
  Waiter* next = nullptr;
  size_t count = 0;  // semaphores: permits asked for
  void resume() const { reactor->post(handle); }
};

// First in, first out, through Waiter::next.
class WaiterList {
 public:
  bool empty() const { return !first_; }
  Waiter* front() const { return first_; }
  void push(Waiter* waiter) {
    (last_ ? last_->next : first_) = waiter;
    last_ = waiter;
  }
  Waiter* pop() {
    Waiter* waiter = std::exchange(first_, first_->next);
    if (!first_) last_ = nullptr;
    waiter->next = nullptr;
    return waiter;
  }
  // Resumes everyone. A waiter's frame may be gone as soon as it is resumed.
  void resume_all() {
    while (!empty()) pop()->resume();
  }

 private:
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace internal

// A mutex that may be held across an await: the one lock of which that is true. Fair (first come, first served).
class Mutex {
 public:
  class Guard {
   public:
    Guard() = default;
    explicit Guard(Mutex* mutex) : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      if (this != &other) {
        release();
        mutex_ = std::exchange(other.mutex_, nullptr);
      }
      return *this;
    }
    ~Guard() { release(); }
    explicit operator bool() const { return mutex_ != nullptr; }
    void release() {
      if (mutex_) std::exchange(mutex_, nullptr)->unlock();
    }

   private:
    Mutex* mutex_ = nullptr;
  };

  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  // co_await mutex.lock() yields a Guard. Does not suspend when the mutex is free.
  auto lock() {
    struct Awaiter {
      Mutex& mutex;
      internal::Waiter waiter{};
      bool await_ready() { return mutex.try_lock_raw(); }
      bool await_suspend(std::coroutine_handle<> handle) {
        waiter.handle = handle;
        waiter.reactor = Reactor::current();
        return mutex.wait(&waiter);
      }
      Guard await_resume() { return Guard(&mutex); }
    };
    return Awaiter{*this};
  }
  // An empty Guard when the mutex is taken.
  Guard try_lock() { return try_lock_raw() ? Guard(this) : Guard(); }
  // True: the caller holds the mutex and must unlock() it.
  bool try_lock_raw() {
    uintptr_t expected = kFree;
    return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() {
    uintptr_t expected = kHeld;
    if (!queue_ &&
        state_.compare_exchange_strong(expected, kFree, std::memory_order_release, std::memory_order_relaxed))
      return;
    hand_over();
  }

 private:
  // False when the mutex was free after all: the caller then owns it and does not suspend.
  bool wait(internal::Waiter* waiter);
  void hand_over();

  // kFree, kHeld, or held with a stack of new waiters, the newest on top, whose address this is.
  static constexpr uintptr_t kFree = 0;
  static constexpr uintptr_t kHeld = 1;
  std::atomic<uintptr_t> state_ = kFree;
  internal::Waiter* queue_ = nullptr;  // earlier waiters in order of arrival; belongs to the holder
};

// Counts permits. co_await acquire(n); release(n) wakes in order of arrival.
class Semaphore {
 public:
  explicit Semaphore(size_t permits) : permits_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  auto acquire(size_t count = 1) {
    struct Awaiter {
      Semaphore& semaphore;
      internal::Waiter waiter{};
      bool await_ready() const { return semaphore.try_acquire(waiter.count); }
      bool await_suspend(std::coroutine_handle<> handle) {
        waiter.handle = handle;
        waiter.reactor = Reactor::current();
        return semaphore.wait(&waiter);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, {.count = count}};
  }
  bool try_acquire(size_t count = 1);
  void release(size_t count = 1);
  // Free permits, for metrics.
  size_t available() const;

 private:
  // False when the permits were there after all.
  bool wait(internal::Waiter* waiter);

  mutable std::mutex state_mutex_;  // guards permits_ and waiters_; held for a few instructions
  size_t permits_;
  internal::WaiterList waiters_;
};

// Permits of a semaphore that are given back when this goes.
class Permits {
 public:
  Permits() = default;
  // Empty when there are not as many free.
  static Permits try_take(Semaphore& semaphore, size_t count) {
    return semaphore.try_acquire(count) ? Permits(&semaphore, count) : Permits();
  }
  Permits(Permits&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(other.count_) {}
  Permits& operator=(Permits&& other) noexcept {
    std::swap(semaphore_, other.semaphore_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Permits() {
    if (semaphore_ != nullptr) semaphore_->release(count_);
  }
  explicit operator bool() const { return semaphore_ != nullptr; }

 private:
  Permits(Semaphore* semaphore, size_t count) : semaphore_(semaphore), count_(count) {}

  Semaphore* semaphore_ = nullptr;
  size_t count_ = 0;
};

// Structured shutdown: detached work holds an entry; close() refuses new entries and waits for the last one.
class Gate {
 public:
  class Entry {
   public:
    Entry() = default;
    explicit Entry(Gate* gate) : gate_(gate) {}
    Entry(Entry&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Entry& operator=(Entry&&) = delete;
    ~Entry() {
      if (gate_) gate_->leave();
    }
    explicit operator bool() const { return gate_ != nullptr; }

   private:
    Gate* gate_ = nullptr;
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // An empty Entry when the gate is closed.
  Entry enter();
  // Idempotent; every caller waits until all entries have left. The gate may be destroyed once all of them returned.
  Task<void> close();
  bool closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }

 private:
  void leave();
  bool wait(internal::Waiter* waiter);

  // Entries times two, plus kClosed. While open it changes by compare-and-swap alone; once closed under closers_mutex_,
  // so that whoever sees the last entry leave knows that leave() is done with this object.
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kEntry = 2;
  std::atomic<uint64_t> state_ = 0;
  std::mutex closers_mutex_;
  internal::WaiterList closers_;
};

// One-shot event: set() resumes everyone who waits and everyone who will. A waiter may destroy the event.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  auto wait() {
    struct Awaiter {
      Event& event;
      internal::Waiter waiter{};
      bool await_ready() const { return event.is_set(); }
      bool await_suspend(std::coroutine_handle<> handle) {
        waiter.handle = handle;
        waiter.reactor = Reactor::current();
        return event.add_waiter(&waiter);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }
  void set();
  bool is_set() const { return state_.load(std::memory_order_acquire) == kSet; }

 private:
  bool add_waiter(internal::Waiter* waiter);

  // 0, kSet, or the newest of a stack of waiters.
  static constexpr uintptr_t kSet = 1;
  std::atomic<uintptr_t> state_ = 0;
};

}  // namespace firn::io
