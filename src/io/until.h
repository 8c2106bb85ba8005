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

}  // namespace firn::io
