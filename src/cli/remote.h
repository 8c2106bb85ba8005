// The server on another machine that --url or FIRN_URL names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace firn::cli {

struct Remote {
  bool tls = false;
  std::string host;  // a name or an address, without brackets
  std::string port;
  std::string token;    // empty: none
  std::string ca_file;  // PEM; empty: the authorities that this machine trusts

  // "host:port", as a Host header has it.
  std::string authority() const;
  std::string text() const { return (tls ? "https://" : "http://") + authority(); }
  friend bool operator==(const Remote&, const Remote&) = default;
};

// What --url and --ca-file say, set once, while the command line is parsed.
struct RemoteOptions {
  std::string url;
  std::string ca_file;
};
RemoteOptions& remote_options();

// "http://HOST[:PORT]" or "https://HOST[:PORT]"; without a port it is 7734. kInvalid says what is wrong.
Result<Remote> parse_url(const std::string& url);

// With its token: FIRN_TOKEN, or what $XDG_CONFIG_HOME/firn/token (~/.config/firn/token) holds, which others must not
// be able to read. nullopt: neither --url nor FIRN_URL is there.
Result<std::optional<Remote>> chosen_remote();

}  // namespace firn::cli
