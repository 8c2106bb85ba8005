#include "tier/metadata/serving_lease.h"

#include <algorithm>

#include "base/log.h"
#include "io/reactor.h"

namespace firn::tier {

io::Task<void> ServingLease::close() {
  closing_.cancel();
  co_await gate_.close();
}

bool ServingLease::holds() {
  const int64_t left = left_ns();
  if (left <= 0) return false;
  if (left < options_.lease_ns / 2 && !renews_early_.load(std::memory_order_relaxed) && !renews_early_.exchange(true)) {
    if (io::Gate::Entry entry = gate_.enter()) io::detach(renew_early(std::move(entry)));
  }
  return true;
}

io::Task<void> ServingLease::renew_early(io::Gate::Entry) {
  co_await io::switch_to(*home_);
  const std::shared_ptr<Attempt> attempt = join();
  co_await attempt->ended.wait();
  renews_early_.store(false);
}

io::Task<Result<void>> ServingLease::wait() {
  const io::Gate::Entry entry = gate_.enter();
  if (!entry) co_return fail(Code::kUnavailable, "the volume is being closed");
  io::Reactor* const caller = io::Reactor::current();
  co_await io::switch_to(*home_);
  Result<void> result;
  while (left_ns() <= 0) {
    const std::shared_ptr<Attempt> attempt = join();
    co_await attempt->ended.wait();
    if (attempt->failure.ok()) continue;
    const bool hopeless = log_.is_fenced() || closing_.cancelled();
    const int64_t failing_ns = home_->clock().monotonic_ns() - failing_since_ns_;
    if (!hopeless && failing_ns < options_.patience_ns) continue;
    result = fail(attempt->failure);
    break;
  }
  co_await io::switch_to(*caller);
  co_return result;
}

std::shared_ptr<ServingLease::Attempt> ServingLease::join() {
  if (attempt_ != nullptr) return attempt_;
  auto attempt = attempt_ = std::make_shared<Attempt>();
  io::detach(renew(attempt, gate_.enter()));  // which may be over by now
  return attempt;
}

io::Task<void> ServingLease::renew(std::shared_ptr<Attempt> attempt, io::Gate::Entry) {
  const int64_t begun_ns = home_->clock().monotonic_ns();
  const Result<void> done = co_await log_.confirm(&closing_);
  if (done) {
    if (failures_ > 0) log::info("the bucket answers again; requests are answered");
    failures_ = 0;
  } else {
    attempt->failure = log_.is_fenced() ? log_.fenced() : Status(Code::kUnavailable, done.error().to_string());
    if (failures_++ == 0) {
      failing_since_ns_ = begun_ns;
      if (!log_.is_fenced() && !closing_.cancelled())
        log::warning("requests wait: whether another daemon has taken the volume over is not known, because {}",
                     done.error().to_string());
    }
    const int64_t pause = std::min(options_.first_retry_ns << std::min(failures_ - 1, 20), options_.longest_retry_ns);
    if (!log_.is_fenced()) (void)co_await io::sleep_for(pause, &closing_);
  }
  attempt_ = nullptr;
  attempt->ended.set();
}

}  // namespace firn::tier
