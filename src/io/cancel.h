// io::CancelToken: one-shot cancellation that an operation can wait on beside its own completion.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace firn::io {

// Thread-safe. cancel() runs the registered callbacks once, in order of registration, on the cancelling thread,
// outside the lock; a callback registered after that runs at once. Must outlive its scopes and a running cancel().
class CancelToken {
 public:
  using Callback = std::function<void()>;

  CancelToken() = default;
  CancelToken(const CancelToken&) = delete;
  CancelToken& operator=(const CancelToken&) = delete;

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  void cancel();

  // RAII: the callback is unregistered, or has finished running, when this is destroyed.
  // (A callback that destroys its own scope does not wait for itself.)
  class Scope {
   public:
    // `token` may be null: then the callback never runs.
    Scope(CancelToken* token, Callback callback);
    ~Scope() { release(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    // Unregisters early. True when the callback has run. Idempotent.
    bool release();

   private:
    friend class CancelToken;
    enum class State : uint8_t { kIdle, kRegistered, kRunning, kDone };

    CancelToken* token_;
    Callback callback_;
    Scope* previous_ = nullptr;
    Scope* next_ = nullptr;
    State state_ = State::kIdle;  // guarded by the token's mutex while registered
  };

 private:
  void append(Scope* scope);
  void remove(Scope* scope);

  std::atomic<bool> cancelled_ = false;
  std::mutex scopes_mutex_;  // guards what follows, and the links and states of the scopes
  std::condition_variable callback_finished_;
  std::thread::id cancelling_thread_;
  Scope* running_ = nullptr;
  Scope* first_ = nullptr;
  Scope* last_ = nullptr;
};

}  // namespace firn::io
