// Work that takes long, beside an exchange that tells how far it is: one JSON object a line, the last with the result.
#pragma once

#include <atomic>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "http/exchange.h"
#include "io/cancel.h"

namespace firn::http {

// Set by the work, read by the exchange. A total of 0: not known (yet).
struct WorkProgress {
  std::atomic<uint64_t> files = 0, total_files = 0;
  std::atomic<uint64_t> bytes = 0, total_bytes = 0;
  io::CancelToken stop;  // nobody waits for it any more
};

// Yields the members of the last line, as a JSON object's text.
using Work = std::function<io::Task<Result<std::string>>(WorkProgress&)>;

// {"files":…,"total_files":…,"bytes":…,"total_bytes":…} a few times a second, then {"done":true,…}, or
// {"error":"…","errno":…}. Work that fails before the first line is due yields its failure, and nothing has been
// answered: that is a status of its own. When the other end goes away the work is told to stop.
io::Task<Result<void>> respond_with_work(Exchange& exchange, Work work);

}  // namespace firn::http
