#include "cli/following.h"

#include "base/log.h"
#include "io/reactor.h"

namespace firn::cli {

Following::Following(tier::Bucket bucket, std::string volume, int64_t interval_ns,
                     tier::MetadataFollower::MakeTarget make_target)
    : interval_ns_(interval_ns),
      pin_(bucket),
      follower_(std::move(bucket), std::move(make_target), {.restore = {.volume = std::move(volume)}}) {}

io::Task<Result<void>> Following::open() {
  if (Result<void> pinned = co_await pin_.claim(&stopping_); !pinned) {
    if (pinned.error() != Code::kAccessDenied) co_return pinned;
    // Reading is allowed, and goes on.
    pins_ = false;
    log::warning("no pin can be put ({}): what is read may be removed before its time by gc with a short --grace",
                 pinned.error().to_string());
  }
  CO_TRY(co_await follower_.open(&stopping_));
  if (pins_) CO_TRY(co_await pin_.renew(follower_.position().next_log, &stopping_));
  note({}, io::Reactor::current()->clock().monotonic_ns());
  io::detach(run(gate_.enter()));
  co_return Result<void>();
}

io::Task<void> Following::run(io::Gate::Entry) {
  while (co_await io::sleep_for(interval_ns_, &stopping_)) {
    const int64_t asked_ns = io::Reactor::current()->clock().monotonic_ns();
    Result<void> done = co_await follower_.poll(&stopping_);
    if (done && pins_) done = co_await pin_.renew(follower_.position().next_log, &stopping_);
    if (!stopping_.cancelled()) note(done ? Status() : done.error(), asked_ns);
  }
}

void Following::note(const Status& status, int64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (status.ok()) heard_ns_ = now_ns;
  if (!status.ok() && failure_.ok()) log::warning("what is shown grows old: {}", status.to_string());
  if (status.ok() && !failure_.ok()) log::info("following again");
  failure_ = status;
}

Following::Report Following::report() const {
  std::lock_guard lock(mutex_);
  return {.behind_ns = system_clock().monotonic_ns() - heard_ns_, .failure = failure_};
}

io::Task<void> Following::close() {
  stopping_.cancel();
  co_await gate_.close();
  co_await pin_.end();
  (void)co_await follower_.engine().close();
}

}  // namespace firn::cli
