// An HTTP client on libcurl: one thread drives all transfers, callers are coroutines.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/task.h"
#include "io/until.h"
#include "object/store.h"

namespace firn::object::s3 {

struct HttpOptions {
  std::string ca_file;  // PEM; empty: the system's
  int64_t connect_timeout_ns = 5'000'000'000;
  // Not a byte either way for so long: given up. What the kernel has taken and not yet sent has not moved.
  int64_t stall_timeout_ns = kStallNs;
  // Of one request's body, sent and received; 0: no limit. What a connection's buffer holds is received at once.
  uint64_t put_bytes_per_s = 0, get_bytes_per_s = 0;
  // That are kept open. There may be more at once, as many as there are requests: libcurl lets a request that waits for
  // a connection wait for ever, whatever its deadline, so none waits there. Whoever calls bounds them (limited()).
  long kept_connections = 64;
  // Told of each part of an answer's body as it comes: so many bytes. On the client's thread, and must not block. May
  // be empty.
  std::function<void(uint64_t bytes)> on_arrival = {};
};

struct HttpRequest {
  std::string method;
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  Content body;
  uint64_t max_body_bytes = 1 << 20;  // of the answer's body; a longer one is an error
  io::Until until;
};

struct HttpResponse {
  long status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, of the final answer
  std::string body;

  // "" when there is none.
  std::string_view header(std::string_view name) const;
};

// Thread-safe. HTTP/1.1 with connections kept open; follows no redirects. Must outlive its requests.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();

  // kUnavailable: no connection, or it broke, or the answer was cut short. kTimedOut, kInterrupted: `until`.
  // kAccessDenied: the server's certificate is not trusted.
  // Any HTTP status is a success here. Needs a current reactor.
  io::Task<Result<HttpResponse>> send(HttpRequest request);

 private:
  class Driver;
  std::unique_ptr<Driver> driver_;
};

}  // namespace firn::object::s3
