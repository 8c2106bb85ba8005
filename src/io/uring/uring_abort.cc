#include "io/uring/uring_reactor.h"

namespace firn::io::internal {

UringAbort::UringAbort(UringReactor& reactor, Completion* operation, Until until)
    : reactor_(reactor), operation_(operation) {
  if (until.deadline_ns != 0) {
    deadline_step_.emplace(&UringAbort::on_deadline, this);
    timer_ = reactor_.add_timer(until.deadline_ns, deadline_step_->handle());
  }
  if (until.token) on_cancel_.emplace(until.token, &UringAbort::on_token, this);
}

Task<void> UringAbort::finish() {
  operation_ = nullptr;
  // The reactor resumes due timers directly, so a timer that cannot be cancelled has run its step already.
  if (timer_) reactor_.cancel_timer(timer_);
  if (on_cancel_) co_await on_cancel_->finish();
}

int32_t UringAbort::result_of(int32_t result) const {
  const bool ended_early = result == -ECANCELED || result == -EINTR;
  return reason_ != 0 && ended_early ? reason_ : result;
}

void UringAbort::on_deadline(void* self) {
  auto* abort = static_cast<UringAbort*>(self);
  if (abort->reason_ != 0) return;
  abort->reason_ = -ETIME;
  abort->reactor_.request_cancel(abort->operation_);
}

void UringAbort::on_token(void* self) {
  auto* abort = static_cast<UringAbort*>(self);
  if (abort->reason_ != 0 || !abort->operation_) return;
  abort->reason_ = -ECANCELED;
  abort->reactor_.request_cancel(abort->operation_);
}

}  // namespace firn::io::internal
