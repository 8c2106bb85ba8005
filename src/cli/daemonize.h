// Running the daemon in the background, with its first words still heard by the command that started it.
#pragma once

#include "base/status.h"
#include "cli/daemon.h"

namespace firn::cli {

// Forks; the child becomes a session of its own and runs the daemon. Returns in the parent once the daemon is ready,
// with what run_daemon() has to say then, or with the reason why it is not. The calling process must have no other
// threads.
Result<std::string> start_in_background(const DaemonOptions& options);

}  // namespace firn::cli
