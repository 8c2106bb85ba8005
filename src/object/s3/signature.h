// AWS Signature Version 4: the Authorization header of a request.
// Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API Reference.
#pragma once

#include <cstdint>
#include <mutex>
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

// The key that requests to a service are signed with: the same for all of a day, a region and a secret, and so derived
// once for them. Thread-safe.
class SigningKey {
 public:
  explicit SigningKey(std::string service = "s3") : service_(std::move(service)) {}

  const std::string& service() const { return service_; }
  // `day`: "20130524".
  std::string of(const std::string& secret, const std::string& day, const std::string& region);
  // How often it was derived.
  uint64_t derivations() const;

 private:
  const std::string service_;
  mutable std::mutex key_mutex_;  // guards the rest
  std::string secret_, day_, region_, key_;
  uint64_t derivations_ = 0;
};

// The value of the Authorization header. `headers` must hold x-amz-date of `time_s` and all that is to be signed.
std::string authorization(const SignedParts& parts, const Credentials& credentials, const std::string& region,
                          int64_t time_s, SigningKey& key);

// "20130524T000000Z"
std::string amz_date(int64_t time_s);
std::string sha256_hex(std::string_view bytes);
std::string sha256_hex(const Content& content);

}  // namespace firn::object::s3
