// What the access log tells of a request.
#pragma once

#include "http/exchange.h"
#include "vfs/access_log.h"

namespace firn::http {

// Whoever follows the log is not told of in it.
inline constexpr std::string_view kAccessLogRoute = "/v1/admin/accesslog";

// Once the exchange is answered; `started_ns` is monotonic.
void log_access(vfs::AccessLog& log, const Exchange& exchange, int64_t started_ns);

}  // namespace firn::http
