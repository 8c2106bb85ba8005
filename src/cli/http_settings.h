// The settings of HTTP over TCP: [http] of firn.toml.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"

namespace firn::cli {

inline constexpr uint16_t kHttpPort = 7734;
inline constexpr std::array<const char*, 3> kAnnounceChoices = {"auto", "yes", "no"};

struct HttpSettings {
  std::vector<std::string> listen;  // HOST[:PORT]; empty: only the Unix socket
  std::string tls_certificate;
  std::string tls_key;
  bool allow_plaintext = false;
  bool allow_anonymous = false;
  std::string loopback = "owner";
  std::string announce = "auto";
  int64_t connections = 1024;
  int64_t connections_per_address = 128;
  int64_t local_connections = 256;  // on the Unix socket; no setting
  int64_t idle_timeout_ns = 60'000'000'000;
  int64_t head_timeout_ns = 10'000'000'000;
  int64_t stall_timeout_ns = 30'000'000'000;
  uint64_t min_bytes_per_s = 1024;
  uint64_t max_body_bytes = 0;  // of a request; 0: any
  int64_t drain_timeout_ns = 5'000'000'000;
};

void append_schema(HttpSettings& settings, config::Schema& schema);

// Rules that no single setting can break.
Status check(const HttpSettings& settings);

}  // namespace firn::cli
