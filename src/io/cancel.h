// io::CancelToken: one-shot cancellation that an operation can wait on beside its own completion.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>

namespace firn::io {

// Thread-safe. cancel() runs the registered callbacks once, on the cancelling thread, outside the lock;
// a callback registered after that runs at once.
class CancelToken {
 public:
  using Callback = std::function<void()>;
  using Registration = std::list<Callback>::iterator;

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  void cancel();

  // RAII: the callback is unregistered, or has finished running, when this is destroyed.
  class Scope {
   public:
    Scope(CancelToken* token, Callback callback);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CancelToken* token_;
    Registration registration_;
    bool registered_ = false;
  };

 private:
  std::atomic<bool> cancelled_ = false;
  std::mutex callbacks_mutex_;  // guards callbacks_ and running_
  std::list<Callback> callbacks_;
};

}  // namespace firn::io
