// Coroutine synchronisation that works across reactors: a waiter is resumed on the reactor it waited on.
#pragma once

#include <coroutine>
#include <cstddef>
#include <deque>
#include <mutex>

#include "io/reactor.h"
#include "io/task.h"

namespace firn::io {

namespace internal {
// A suspended coroutine and where to resume it.
struct Waiter {
  std::coroutine_handle<> handle;
  Reactor* reactor = nullptr;
  void resume() const { reactor->post(handle); }
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
    void release() {
      if (mutex_) std::exchange(mutex_, nullptr)->unlock();
    }

   private:
    Mutex* mutex_ = nullptr;
  };

  // co_await mutex.lock() yields a Guard. Does not suspend when the mutex is free.
  auto lock() {
    struct Awaiter {
      Mutex& mutex;
      bool await_ready() { return mutex.try_lock_raw(); }
      bool await_suspend(std::coroutine_handle<> handle) { return mutex.wait(handle); }
      Guard await_resume() { return Guard(&mutex); }
    };
    return Awaiter{*this};
  }
  // Yields an empty optional-like Guard state through `acquired`.
  bool try_lock_raw();
  void unlock();

 private:
  // False when the mutex was free after all: the caller then owns it and does not suspend.
  bool wait(std::coroutine_handle<> handle);

  std::mutex state_mutex_;  // guards locked_ and waiters_; held for a few instructions
  bool locked_ = false;
  std::deque<internal::Waiter> waiters_;
};

// Counts permits. co_await acquire(n); release(n) wakes in order of arrival.
class Semaphore {
 public:
  explicit Semaphore(size_t permits) : permits_(permits) {}

  auto acquire(size_t count = 1) {
    struct Awaiter {
      Semaphore& semaphore;
      size_t count;
      bool await_ready() const { return semaphore.try_acquire(count); }
      bool await_suspend(std::coroutine_handle<> handle) { return semaphore.wait(handle, count); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, count};
  }
  bool try_acquire(size_t count = 1);
  void release(size_t count = 1);

 private:
  struct Request {
    internal::Waiter waiter;
    size_t count;
  };
  bool wait(std::coroutine_handle<> handle, size_t count);

  std::mutex state_mutex_;
  size_t permits_;
  std::deque<Request> waiters_;
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

  // An empty Entry when the gate is closed.
  Entry enter();
  // Idempotent; every caller waits until all entries have left.
  Task<void> close();
  bool closed() const;

 private:
  void leave();

  mutable std::mutex state_mutex_;
  bool closed_ = false;
  size_t entries_ = 0;
  std::deque<internal::Waiter> closers_;
};

// One-shot event: set() resumes everyone who waits and everyone who will.
class Event {
 public:
  auto wait() {
    struct Awaiter {
      Event& event;
      bool await_ready() const { return event.is_set(); }
      bool await_suspend(std::coroutine_handle<> handle) { return event.add_waiter(handle); }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }
  void set();
  bool is_set() const;

 private:
  bool add_waiter(std::coroutine_handle<> handle);

  mutable std::mutex state_mutex_;
  bool set_ = false;
  std::deque<internal::Waiter> waiters_;
};

}  // namespace firn::io
