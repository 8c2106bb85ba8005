#include "io/cancel.h"

#include <utility>

namespace firn::io {

void CancelToken::append(Scope* scope) {
  scope->previous_ = last_;
  (last_ ? last_->next_ : first_) = scope;
  last_ = scope;
}

void CancelToken::remove(Scope* scope) {
  (scope->previous_ ? scope->previous_->next_ : first_) = scope->next_;
  (scope->next_ ? scope->next_->previous_ : last_) = scope->previous_;
  scope->previous_ = scope->next_ = nullptr;
}

void CancelToken::cancel() {
  std::unique_lock lock(scopes_mutex_);
  if (cancelled_.exchange(true, std::memory_order_acq_rel)) return;
  cancelling_thread_ = std::this_thread::get_id();
  while (Scope* scope = first_) {
    remove(scope);
    scope->state_ = Scope::State::kRunning;
    running_ = scope;
    // The callback may destroy its own scope, hence a local function object and the look at running_ afterwards.
    Callback callback = std::move(scope->callback_);
    lock.unlock();
    callback();
    lock.lock();
    if (running_) running_->state_ = Scope::State::kDone;
    running_ = nullptr;
    callback_finished_.notify_all();
  }
}

CancelToken::Scope::Scope(CancelToken* token, Callback callback) : token_(token), callback_(std::move(callback)) {
  if (!token_) return;
  {
    std::lock_guard lock(token_->scopes_mutex_);
    if (!token_->cancelled()) {
      state_ = State::kRegistered;
      token_->append(this);
      return;
    }
  }
  state_ = State::kDone;
  callback_();
}

bool CancelToken::Scope::release() {
  if (!token_) return false;
  std::unique_lock lock(token_->scopes_mutex_);
  if (state_ == State::kIdle) return false;
  if (state_ == State::kRegistered) {
    token_->remove(this);
    state_ = State::kIdle;
    return false;
  }
  if (state_ == State::kRunning) {
    if (token_->cancelling_thread_ == std::this_thread::get_id()) {
      token_->running_ = nullptr;
      state_ = State::kDone;
    } else {
      token_->callback_finished_.wait(lock, [this] { return state_ == State::kDone; });
    }
  }
  return true;
}

}  // namespace firn::io
