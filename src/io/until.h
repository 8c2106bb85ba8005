// io::Until: what ends an operation early. Every await that leaves the process takes one.
#pragma once

#include <cstdint>

#include "io/cancel.h"
#include "io/reactor.h"

namespace firn::io {

struct Until {
  int64_t deadline_ns = 0;       // of the reactor's clock().monotonic_ns(); 0: none
  CancelToken* token = nullptr;  // may be null; must outlive the operation
};

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
