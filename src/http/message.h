// What an HTTP request and response are made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace firn::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string path;                        // percent-decoded, without the query; may hold any byte but NUL
  Headers query;                           // decoded, in order
  Headers headers;                         // names in lower case
  std::optional<uint64_t> content_length;  // absent: chunked, or no body

  // The first of that name; nullopt when there is none.
  std::optional<std::string_view> header(std::string_view lower_name) const;
  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;
};

std::string_view reason_of(int status);

// Splits a request target into path and query and decodes both. kInvalid: not an absolute path, a bad escape, a NUL.
Status parse_target(std::string_view target, Request& request);
// Escapes everything but unreserved characters and '/'.
std::string encode_path(std::string_view path);
// Escapes '/' too.
std::string encode_parameter(std::string_view value);

// The HTTP status for a failure, and its body as RFC 9457 has it: type, title, status, detail, errno.
int http_status_of(Code code);
Response problem(const Status& status);
Response problem(int http_status, std::string_view detail);

}  // namespace firn::http
