#include "cli/transfers.h"

#include <fmt/format.h>

#include "base/time.h"
#include "cli/command.h"

namespace firn::cli {
namespace {

constexpr size_t kMaxWaiting = 50'000;
// What is over sooner needs no bar.
constexpr int64_t kBarAfterNs = 500'000'000;
constexpr int64_t kBarEveryNs = 100'000'000;

}  // namespace

Transfers::Transfers(Options options)
    : options_(std::move(options)), bar_(options_.what), next_look_ns_(system_clock().monotonic_ns() + kBarAfterNs) {}

Transfers::~Transfers() {
  end_with(Code::kInterrupted);
  (void)finish();  // whoever wanted to know has asked
}

Status Transfers::add(uint64_t bytes, Job job) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return waiting_.size() < kMaxWaiting || !failure_.ok(); });
  if (!failure_.ok()) return failure_;
  waiting_.push_back(std::move(job));
  ++state_.total_files;
  state_.total_bytes += bytes;
  if (idle_ < waiting_.size() && threads_.size() < options_.jobs) threads_.emplace_back([this] { run(); });
  work_.notify_one();
  return {};
}

Status Transfers::finish() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  bar_.clear();
  return failure_;
}

void Transfers::run() {
  if (const Status status = run_jobs(); !status.ok()) end_with(status);
}

Status Transfers::run_jobs() {
  Client client = TRY(Client::connect(options_.served));
  for (;;) {
    std::unique_lock lock(mutex_);
    ++idle_;
    work_.wait(lock, [this] { return !waiting_.empty() || closed_ || !failure_.ok(); });
    --idle_;
    if (waiting_.empty() || !failure_.ok()) return {};
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    room_.notify_one();
    lock.unlock();
    TRY(job(client));
    lock.lock();
    ++counts_.files;
    ++state_.files;
    show();
  }
}

void Transfers::end_with(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (failure_.ok()) failure_ = status;
  work_.notify_all();
  room_.notify_all();
}

Status Transfers::moved(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!failure_.ok()) return Code::kInterrupted;
  counts_.bytes += bytes;
  state_.bytes += bytes;
  show();
  return {};
}

void Transfers::resumed(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  counts_.resumed_bytes += bytes;
  state_.bytes += bytes;
  state_.earlier_bytes += bytes;
}

void Transfers::unchanged(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  ++counts_.unchanged;
  --counts_.files;  // its job counts as one
  state_.bytes += bytes;
  state_.earlier_bytes += bytes;
}

void Transfers::left_out(const std::string& message) {
  const std::lock_guard lock(mutex_);
  ++counts_.left_out;
  bar_.clear();
  print_error(message);
}

TransferCounts Transfers::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Transfers::show() {
  const int64_t now_ns = system_clock().monotonic_ns();
  if (now_ns < next_look_ns_) return;
  next_look_ns_ = now_ns + kBarEveryNs;
  bar_.show(state_);
}

}  // namespace firn::cli
