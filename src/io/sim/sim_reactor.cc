#include "io/sim/sim_reactor.h"

#include <algorithm>

#include "base/check.h"

namespace firn::io {

SimReactor::SimReactor(SimOptions options) : options_(options), random_(options.seed) {}

Timestamp SimReactor::now() {
  const int64_t ns = options_.start.nanoseconds + now_ns_;
  return {options_.start.seconds + ns / 1'000'000'000, static_cast<uint32_t>(ns % 1'000'000'000)};
}

uint64_t SimReactor::add_timer(int64_t deadline_ns, std::coroutine_handle<> handle) {
  return timers_.add(deadline_ns, handle);
}

// False when there is nothing left to do.
bool SimReactor::step() {
  while (const auto handle = timers_.pop_due(now_ns_)) ready_.push(handle);
  if (!ready_.empty()) {
    const auto handle = options_.shuffle ? ready_.pop_at(random_.below(ready_.size())) : ready_.pop();
    now_ns_ += options_.step_ns;
    handle.resume();
    return true;
  }
  if (timers_.empty()) return false;
  now_ns_ = std::max(now_ns_, timers_.next_deadline_ns());
  return true;
}

void SimReactor::run() {
  CHECK(!Reactor::current());
  bind_current(this);
  while (!(stop_requested_ && ready_.empty())) {
    if (!step()) break;
    if (resumptions_left_ != 0 && --resumptions_left_ == 0) break;
  }
  stop_requested_ = false;
  bind_current(nullptr);
}

}  // namespace firn::io
