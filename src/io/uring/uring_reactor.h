// io::UringReactor: a Reactor on an io_uring. One io_uring_enter per round submits what was prepared and waits.
#pragma once

#include <liburing.h>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/status.h"
#include "io/reactor.h"
#include "io/ready_queue.h"
#include "io/step.h"
#include "io/timer_heap.h"
#include "io/until.h"

namespace firn::io {

// What an SQE's user_data points to. `complete` runs on the reactor's thread for every CQE, and may resume
// coroutines and prepare SQEs. It lives until its last CQE (without IORING_CQE_F_MORE) has come.
// user_data 0: the CQE is ignored.
struct Completion {
  void (*complete)(Completion* self, int32_t result, uint32_t cqe_flags);
};

struct UringOptions {
  unsigned index = 0;       // Reactor::index()
  int cpu = -1;             // the processor that run() pins its thread to; -1: none
  unsigned entries = 1024;  // submission queue; the completion queue is four times as long
  unsigned spin_us = 0;     // how long to poll for work before sleeping, while there is much
};

class UringReactor final : public Reactor {
 public:
  // The ring comes to life in run(), whose thread is then the only one that may touch it.
  // kNotSupported or kAccessDenied when the kernel has or allows no io_uring.
  static Result<std::unique_ptr<UringReactor>> create(UringOptions options);
  // Not while run() is. Operations still in flight are abandoned to the kernel: let them finish first (Gate).
  ~UringReactor() override;

  // The reactor that runs on this thread, null when there is none.
  static UringReactor* current() { return current_; }

  void post(std::coroutine_handle<> handle) override;
  void post_later(std::coroutine_handle<> handle) override;
  uint64_t add_timer(int64_t deadline_ns, std::coroutine_handle<> handle) override;
  bool cancel_timer(uint64_t timer) override;
  Clock& clock() override { return system_clock(); }
  unsigned index() const override { return options_.index; }
  void run() override;
  void stop() override;

  // The rest is for this reactor's own thread.

  // A zeroed SQE (128 bytes where has_sqe128()); submits when the queue is full; never null.
  // It is handed to the kernel in this round or earlier: fill it before the next suspension or call of sqe().
  io_uring_sqe* sqe();
  io_uring* ring() { return &ring_; }
  bool has_sqe128() const { return (ring_.flags & IORING_SETUP_SQE128) != 0; }
  // Hands prepared SQEs to the kernel now instead of at the end of the round.
  void flush();

  // co_await submit(prep): `prep(io_uring_sqe*)` fills the SQE (not user_data); yields the CQE's result, negative errno
  // on failure. What the SQE points to must live until then.
  template <class Prep>
  auto submit(Prep prep);
  // The same, ended early by `until`: the result is then -ETIME (deadline) or -ECANCELED (token). It returns only when
  // the kernel is done with the operation's buffers; an operation that won the race keeps its result.
  template <class Prep>
  Task<int32_t> submit(Prep prep, Until until);
  // Asks the kernel to cancel the operation whose user_data is `operation`; its CQE comes all the same.
  void request_cancel(Completion* operation);

  // Called each time before what was submitted is handed to the kernel (often: it must be cheap when there is nothing
  // to do). Must not block for long, nor prepare SQEs.
  void set_submit_hook(std::function<void()> hook) { submit_hook_ = std::move(hook); }
  // For who tells others something by a system call of their own.
  void run_submit_hook() {
    if (submit_hook_) submit_hook_();
  }
  // Rounds of the loop and resumed completions so far, for metrics and benchmarks.
  uint64_t enters() const { return enters_; }

 private:
  explicit UringReactor(UringOptions options) : options_(options) {}

  Result<void> open();
  void enable();
  void pin_thread() const;
  void arm_wake();
  static void on_wake(Completion* self, int32_t result, uint32_t cqe_flags);
  void wake();

  bool stopping();
  void resume_ready();
  void take_remote();
  void fire_timers();
  void wait_for_work();
  void take_later();
  void judge_spinning(int64_t slept_ns);
  bool spin();
  bool may_sleep();
  void reap();
  void submit_now();
  int enter(unsigned wait_count, int64_t timeout_ns);
  unsigned publish_sqes();

  static inline constinit thread_local UringReactor* current_ = nullptr;

  UringOptions options_;
  io_uring ring_{};
  bool ring_open_ = false;
  bool enabled_ = false;
  unsigned enter_flags_ = 0;
  std::thread::id owner_;
  internal::ReadyQueue ready_;
  internal::ReadyQueue later_;
  unsigned spin_credit_ = 0;
  unsigned passed_over_ = 0;  // rounds in which newer work went before later_
  internal::TimerHeap timers_;
  std::function<void()> submit_hook_;
  uint64_t enters_ = 0;

  // Work from other threads. A poster pays for a wake-up only when it finds the reactor asleep.
  int wake_fd_ = -1;
  Completion wake_completion_{&UringReactor::on_wake};
  alignas(64) std::mutex remote_mutex_;  // guards remote_ and orders sleeping_ and stop_requested_
  std::vector<std::coroutine_handle<>> remote_;
  std::atomic<bool> remote_pending_ = false;  // remote_ may be non-empty
  std::atomic<bool> sleeping_ = false;
  std::atomic<bool> stop_requested_ = false;
  std::atomic<unsigned> wakers_ = 0;  // threads between seeing sleeping_ and having written wake_fd_
  alignas(64) std::vector<std::coroutine_handle<>> taken_;
};

namespace internal {

template <class Prep>
class SubmitAwaiter : public Completion {
 public:
  SubmitAwaiter(UringReactor& reactor, Prep prep)
      : Completion{&SubmitAwaiter::on_complete}, reactor_(reactor), prep_(std::move(prep)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    io_uring_sqe* sqe = reactor_.sqe();
    prep_(sqe);
    sqe->user_data = reinterpret_cast<uint64_t>(static_cast<Completion*>(this));
  }
  int32_t await_resume() const noexcept { return result_; }

 private:
  static void on_complete(Completion* self, int32_t result, uint32_t) {
    auto* awaiter = static_cast<SubmitAwaiter*>(self);
    awaiter->result_ = result;
    awaiter->handle_.resume();
  }

  UringReactor& reactor_;
  Prep prep_;
  std::coroutine_handle<> handle_;
  int32_t result_ = 0;
};

// Watches `until` for one operation and asks the kernel to cancel it. co_await finish() once the operation is complete.
class UringAbort {
 public:
  UringAbort(UringReactor& reactor, Completion* operation, Until until);

  Task<void> finish();
  // The operation's result as submit() reports it.
  int32_t result_of(int32_t result) const;

 private:
  static void on_deadline(void* self);
  static void on_token(void* self);

  UringReactor& reactor_;
  Completion* operation_;  // null once complete
  int32_t reason_ = 0;     // -ETIME or -ECANCELED once cancellation was asked for
  uint64_t timer_ = 0;
  std::optional<Step> deadline_step_;
  std::optional<OnCancel> on_cancel_;
};

}  // namespace internal

template <class Prep>
auto UringReactor::submit(Prep prep) {
  return internal::SubmitAwaiter<Prep>(*this, std::move(prep));
}

template <class Prep>
Task<int32_t> UringReactor::submit(Prep prep, Until until) {
  internal::SubmitAwaiter<Prep> operation(*this, std::move(prep));
  if (until.token && until.token->cancelled()) co_return -ECANCELED;
  internal::UringAbort abort(*this, &operation, until);
  const int32_t result = co_await operation;
  co_await abort.finish();
  co_return abort.result_of(result);
}

}  // namespace firn::io
