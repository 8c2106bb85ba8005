// What the metrics tell of requests: by method and family of routes, so that there are few series whatever is asked.
#pragma once

#include <cstdint>
#include <string_view>

namespace firn::http {

struct ServedRequest {
  std::string_view method;
  std::string_view path;
  int status = 0;               // of the response; 0: none went out
  uint64_t received_bytes = 0;  // of bodies
  uint64_t sent_bytes = 0;
  int64_t took_ns = 0;
};

// Thread-safe.
void count_request(const ServedRequest& request);
// One whose head was no good.
void count_malformed_request(int status);

// "files" of "/v1/files/a"; "other" of what is none of our routes.
std::string_view route_family(std::string_view path);

}  // namespace firn::http
