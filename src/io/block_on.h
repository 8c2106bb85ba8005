// Bridges from plain threads (main, tests) into coroutines.
#pragma once

#include <future>
#include <optional>
#include <type_traits>

#include "io/reactor.h"
#include "io/task.h"

namespace firn::io {

namespace internal {

// Both destroy the task's frame, and what its parameters hold, before the caller goes on.
template <class T>
Task<void> fulfil(Reactor* reactor, Task<T> task, std::promise<T> promise) {
  co_await switch_to(*reactor);
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
    task = Task<T>();
    promise.set_value();
  } else {
    T value = co_await std::move(task);
    task = Task<T>();
    promise.set_value(std::move(value));
  }
}

template <class T>
Task<void> run_then_stop(Reactor* reactor, Task<T> task, std::optional<T>* result) {
  co_await switch_to(*reactor);
  result->emplace(co_await std::move(task));
  task = Task<T>();
  reactor->stop();
}

inline Task<bool> yield_true(Task<void> task) {
  co_await std::move(task);
  co_return true;
}

inline Task<void> start_on(Reactor* reactor, Task<void> task) {
  co_await switch_to(*reactor);
  co_await std::move(task);
}

}  // namespace internal

// Runs `task` on `reactor`, which another thread runs, and waits for its result. Never call it on a reactor's thread.
template <class T>
T block_on(Reactor& reactor, Task<T> task) {
  CHECK(!Reactor::current());
  std::promise<T> promise;
  auto future = promise.get_future();
  detach(internal::fulfil(&reactor, std::move(task), std::move(promise)));
  return future.get();
}

// Runs `reactor` on this thread until `task` has ended, and returns its result. The reactor must not be running;
// what other tasks it still has stay suspended until it runs again.
template <class T>
T run_to_end(Reactor& reactor, Task<T> task) {
  if constexpr (std::is_void_v<T>) {
    run_to_end(reactor, internal::yield_true(std::move(task)));
  } else {
    std::optional<T> result;
    detach(internal::run_then_stop(&reactor, std::move(task), &result));
    reactor.run();
    CHECK(result.has_value());  // otherwise the task waits for something that will never happen
    return *std::move(result);
  }
}

// Starts `task` on `reactor` and lets it run on by itself; see detach(). Thread-safe.
inline void detach_on(Reactor& reactor, Task<void> task) { detach(internal::start_on(&reactor, std::move(task))); }

}  // namespace firn::io
