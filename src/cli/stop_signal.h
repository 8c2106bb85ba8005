// StopSignal: what the main thread of the daemon waits for.
#pragma once

#include "base/status.h"
#include "io/unique_fd.h"

namespace firn::cli {

// SIGTERM, SIGINT and SIGHUP, or request() from any thread. Make it before any other thread: the signals are blocked
// in this thread and in all that it starts.
class StopSignal {
 public:
  static Result<StopSignal> create();
  // Thread-safe.
  void request() const;
  // Blocks until the first of them; which, for the log.
  const char* wait() const;

 private:
  io::UniqueFd signals_;
  io::UniqueFd event_;
};

}  // namespace firn::cli
