// io::Until: what ends an operation early. Every await that leaves the process takes one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "io/cancel.h"
#include "io/reactor.h"

namespace firn::io {

struct Until {
  int64_t deadline_ns = 0;       // of the reactor's clock().monotonic_ns(); 0: none
  CancelToken* token = nullptr;  // may be null; must outlive the operation
};

// As long as anyone waits: a third of a century.
inline constexpr int64_t kForeverNs = int64_t{1} << 60;

// Until the deadline; never negative. Needs a current reactor.
inline int64_t left_ns(const Until& until) {
  if (until.deadline_ns == 0) return kForeverNs;
  return std::max<int64_t>(until.deadline_ns - Reactor::current()->clock().monotonic_ns(), 0);
}

// Ends `nanoseconds` from now, or when `token` is cancelled. Needs a current reactor.
inline Until within(int64_t nanoseconds, CancelToken* token = nullptr) {
  return {Reactor::current()->clock().monotonic_ns() + nanoseconds, token};
}

// The earlier of `until` and `nanoseconds` from now. Needs a current reactor.
inline Until at_most(int64_t nanoseconds, Until until) {
  const Until ours = within(nanoseconds, until.token);
  return until.deadline_ns != 0 && until.deadline_ns < ours.deadline_ns ? until : ours;
}

}  // namespace firn::io
