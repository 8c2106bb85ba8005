// AWS Signature Version 4: the Authorization header of a request.
// Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API Reference.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "object/content.h"
#include "object/s3/credentials.h"

namespace firn::object::s3 {

// What stands for the digest of a body that is not signed (sent over TLS only).
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct SignedParts {
  std::string method;
  std::string path;   // as sent: its bytes are unreserved characters and '/', or %XX
  std::string query;  // "a=1&b=2" in order of names, encoded; may be empty
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; host is among them
  std::string payload_sha256;                                // lower-case hex, or kUnsignedPayload
};

// The value of the Authorization header. `headers` must hold x-amz-date of `time_s` and all that is to be signed.
std::string authorization(const SignedParts& parts, const Credentials& credentials, const std::string& region,
                          int64_t time_s);

// "20130524T000000Z"
std::string amz_date(int64_t time_s);
std::string sha256_hex(std::string_view bytes);
std::string sha256_hex(const Content& content);

}  // namespace firn::object::s3
