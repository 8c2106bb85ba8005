#include "io/uring/uring_reactor.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace firn::io {
namespace {

// What a busy reactor's sleeps are shorter than, and how many longer ones end the polling.
constexpr int64_t kShortSleepNs = 200'000;
constexpr unsigned kSpinCredit = 4;
// How much work may be postponed, and for how many rounds.
constexpr size_t kMaxLater = 256;
constexpr unsigned kMaxPassedOver = 16;
// Coroutines resumed between two looks at the kernel, so that one that yields for ever does not starve the ring.
constexpr size_t kMaxResumesPerRound = 512;
constexpr int64_t kNever = internal::TimerHeap::kNever;

// From the best set of flags to the one every io_uring accepts.
std::array<unsigned, 4> flag_sets(bool spins) {
  const unsigned basic = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
  const unsigned wide = basic | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SQE128;
  const unsigned deferred = wide | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  return {deferred | (spins ? IORING_SETUP_TASKRUN_FLAG : 0), wide | IORING_SETUP_COOP_TASKRUN, wide, basic};
}

}  // namespace

Result<std::unique_ptr<UringReactor>> UringReactor::create(UringOptions options) {
  std::unique_ptr<UringReactor> reactor(new UringReactor(options));
  TRY(reactor->open());
  return reactor;
}

Result<void> UringReactor::open() {
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return fail(Status::from_errno(errno, "eventfd"));
  int error = 0;
  for (const unsigned flags : flag_sets(options_.spin_us > 0)) {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = options_.entries * 4;
    error = -io_uring_queue_init_params(options_.entries, &ring_, &params);
    if (error != EINVAL) break;
  }
  if (error) return fail(Status::from_errno(error, "io_uring_setup"));
  ring_open_ = true;
  return {};
}

UringReactor::~UringReactor() {
  // A thread that posted the last piece of work may still be on its way out of post().
  {
    std::lock_guard lock(remote_mutex_);
  }
  while (wakers_.load(std::memory_order_acquire) != 0) sched_yield();
  if (ring_open_) io_uring_queue_exit(&ring_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void UringReactor::enable() {
  const auto thread = std::this_thread::get_id();
  CHECK(owner_ == std::thread::id() || owner_ == thread);
  owner_ = thread;
  if (!enabled_) {
    // liburing 2.3 declares io_uring_enable_rings() but does not export it.
    CHECK(syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) == 0);
    enabled_ = true;
    arm_wake();
  }
  // A registered ring saves the lookup of its descriptor in every call; it belongs to this thread until run() returns.
  enter_flags_ = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if (io_uring_register_ring_fd(&ring_) == 1) enter_flags_ |= IORING_ENTER_REGISTERED_RING;
  if (options_.cpu >= 0) pin_thread();
}

void UringReactor::pin_thread() const {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(options_.cpu), &set);
  // Not allowed here (a container's cpuset): it runs all the same.
  (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

void UringReactor::run() {
  CHECK(!Reactor::current());
  enable();
  bind_current(this);
  current_ = this;
  for (;;) {
    resume_ready();
    if (remote_pending_.load(std::memory_order_acquire)) take_remote();
    fire_timers();
    if (stopping()) break;
    wait_for_work();
    reap();
  }
  if (publish_sqes() != 0) flush();
  current_ = nullptr;
  bind_current(nullptr);
  if (enter_flags_ & IORING_ENTER_REGISTERED_RING) io_uring_unregister_ring_fd(&ring_);
}

bool UringReactor::stopping() {
  if (!stop_requested_.load(std::memory_order_acquire)) return false;
  if (!ready_.empty() || !later_.empty() || remote_pending_.load(std::memory_order_acquire)) return false;
  stop_requested_.store(false, std::memory_order_relaxed);
  return true;
}

void UringReactor::resume_ready() {
  for (size_t left = kMaxResumesPerRound; left > 0 && !ready_.empty(); --left) ready_.pop().resume();
}

void UringReactor::take_remote() {
  {
    std::lock_guard lock(remote_mutex_);
    taken_.swap(remote_);
    remote_pending_.store(false, std::memory_order_relaxed);
  }
  for (const auto handle : taken_) ready_.push(handle);
  taken_.clear();
}

void UringReactor::fire_timers() {
  if (timers_.empty()) return;
  const int64_t now_ns = clock().monotonic_ns();
  while (const auto handle = timers_.pop_due(now_ns)) handle.resume();
}

void UringReactor::wait_for_work() {
  const bool completions = io_uring_cq_ready(&ring_) != 0;
  if (completions && publish_sqes() == 0) return;
  run_submit_hook();
  if (completions || !ready_.empty()) {
    enter(0, kNever);
    return;
  }
  if (!later_.empty()) {
    enter(0, kNever);
    take_later();
    return;
  }
  const bool found = spin_credit_ > 0 && spin();
  if (found || !may_sleep()) {
    enter(0, kNever);
    return;
  }
  const int64_t deadline_ns = timers_.next_deadline_ns();
  const int64_t timeout_ns =
      deadline_ns == kNever ? kNever : std::max<int64_t>(deadline_ns - clock().monotonic_ns(), 0);
  const int64_t asleep_ns = options_.spin_us > 0 ? clock().monotonic_ns() : 0;
  enter(1, timeout_ns);
  sleeping_.store(false, std::memory_order_relaxed);
  if (options_.spin_us > 0) judge_spinning(clock().monotonic_ns() - asleep_ns);
}

// Polling pays while work follows work closely, on this processor or another: whoever waits for us must be woken, too.
void UringReactor::judge_spinning(int64_t slept_ns) {
  if (slept_ns < kShortSleepNs) {
    spin_credit_ = kSpinCredit;
  } else if (spin_credit_ > 0) {
    --spin_credit_;
  }
}

// One piece of postponed work a round, or none when there is newer work that may go first.
void UringReactor::take_later() {
  const bool newer = io_uring_cq_ready(&ring_) != 0 || remote_pending_.load(std::memory_order_relaxed);
  if (newer && later_.size() <= kMaxLater && ++passed_over_ <= kMaxPassedOver) return;
  passed_over_ = 0;
  ready_.push(later_.pop());
}

// True when no work has come from outside; posters then know that they must wake this thread.
bool UringReactor::may_sleep() {
  if (!ready_.empty()) return false;
  std::lock_guard lock(remote_mutex_);
  if (!remote_.empty() || stop_requested_.load(std::memory_order_relaxed)) return false;
  sleeping_.store(true, std::memory_order_relaxed);
  return true;
}

bool UringReactor::spin() {
  enter(0, kNever);
  const int64_t start_ns = clock().monotonic_ns();
  const int64_t end_ns = std::min(start_ns + int64_t{options_.spin_us} * 1000, timers_.next_deadline_ns());
  const bool flagged = (ring_.flags & IORING_SETUP_TASKRUN_FLAG) != 0;
  do {
    for (int i = 0; i < 64; ++i) {
      if (io_uring_cq_ready(&ring_) != 0 || remote_pending_.load(std::memory_order_relaxed)) return true;
      if (flagged && (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_TASKRUN)) return true;
      __builtin_ia32_pause();
    }
  } while (clock().monotonic_ns() < end_ns);
  return false;
}

void UringReactor::reap() {
  // Each entry is handed back before its handler runs, which may take long and may fill the queue again.
  io_uring_cq& queue = ring_.cq;
  unsigned head = *queue.khead;
  while (head != io_uring_smp_load_acquire(queue.ktail)) {
    const io_uring_cqe& entry = queue.cqes[head & queue.ring_mask];
    auto* completion = reinterpret_cast<Completion*>(entry.user_data);
    const int32_t result = entry.res;
    const uint32_t flags = entry.flags;
    io_uring_smp_store_release(queue.khead, ++head);
    if (completion) completion->complete(completion, result, flags);
  }
}

// Shows the kernel the SQEs prepared so far; returns how many it has not consumed yet.
unsigned UringReactor::publish_sqes() {
  io_uring_sq& queue = ring_.sq;
  if (queue.sqe_head != queue.sqe_tail) {
    queue.sqe_head = queue.sqe_tail;
    io_uring_smp_store_release(queue.ktail, queue.sqe_tail);
  }
  return queue.sqe_tail - io_uring_smp_load_acquire(queue.khead);
}

int UringReactor::enter(unsigned wait_count, int64_t timeout_ns) {
  ++enters_;
  __kernel_timespec timeout{};
  io_uring_getevents_arg argument{};
  argument.sigmask_sz = _NSIG / 8;
  if (timeout_ns != kNever) {
    timeout.tv_sec = timeout_ns / 1'000'000'000;
    timeout.tv_nsec = timeout_ns % 1'000'000'000;
    argument.ts = reinterpret_cast<uint64_t>(&timeout);
  }
  const int result = io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), publish_sqes(), wait_count,
                                     enter_flags_, reinterpret_cast<sigset_t*>(&argument), sizeof argument);
  // EBUSY and EAGAIN: the kernel is short of something until completions are reaped, which comes next.
  CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN);
  return result;
}

void UringReactor::flush() {
  if (publish_sqes() != 0) submit_now();
}

// In the middle of a round.
void UringReactor::submit_now() {
  run_submit_hook();
  enter(0, kNever);
}

io_uring_sqe* UringReactor::sqe() {
  CHECK(current_ == this || !enabled_ || owner_ == std::this_thread::get_id());
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (!sqe) {
    submit_now();
    sqe = io_uring_get_sqe(&ring_);
  }
  std::memset(static_cast<void*>(sqe), 0, has_sqe128() ? 128 : 64);
  return sqe;
}

void UringReactor::request_cancel(Completion* operation) {
  io_uring_sqe* entry = sqe();
  io_uring_prep_cancel(entry, operation, 0);
  entry->user_data = 0;
}

void UringReactor::arm_wake() {
  io_uring_sqe* entry = sqe();
  io_uring_prep_poll_multishot(entry, wake_fd_, POLLIN);
  entry->user_data = reinterpret_cast<uint64_t>(&wake_completion_);
}

// The event counter is never read: a multishot poll reports every write, and 2^64 of them do not happen.
void UringReactor::on_wake(Completion*, int32_t, uint32_t cqe_flags) {
  if (!(cqe_flags & IORING_CQE_F_MORE)) current_->arm_wake();
}

void UringReactor::wake() {
  const uint64_t one = 1;
  (void)!write(wake_fd_, &one, sizeof one);
  wakers_.fetch_sub(1, std::memory_order_release);
}

void UringReactor::post(std::coroutine_handle<> handle) {
  if (current_ == this) {
    ready_.push(handle);
    return;
  }
  {
    std::lock_guard lock(remote_mutex_);
    remote_.push_back(handle);
    remote_pending_.store(true, std::memory_order_release);
    if (!sleeping_.load(std::memory_order_relaxed)) return;
    sleeping_.store(false, std::memory_order_relaxed);
    wakers_.fetch_add(1, std::memory_order_relaxed);
  }
  wake();
}

void UringReactor::post_later(std::coroutine_handle<> handle) {
  CHECK(current_ == this);
  later_.push(handle);
}

void UringReactor::stop() {
  {
    std::lock_guard lock(remote_mutex_);
    stop_requested_.store(true, std::memory_order_release);
    if (!sleeping_.load(std::memory_order_relaxed)) return;
    sleeping_.store(false, std::memory_order_relaxed);
    wakers_.fetch_add(1, std::memory_order_relaxed);
  }
  wake();
}

uint64_t UringReactor::add_timer(int64_t deadline_ns, std::coroutine_handle<> handle) {
  CHECK(current_ == this);
  return timers_.add(deadline_ns, handle);
}

bool UringReactor::cancel_timer(uint64_t timer) {
  CHECK(current_ == this);
  return timers_.cancel(timer);
}

}  // namespace firn::io
