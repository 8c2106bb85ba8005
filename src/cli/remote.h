// The server on another machine that --url or FIRN_URL names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace firn::cli {

// Why a server is asked, and so what it is told.
enum class Trust : uint8_t {
  kNamed,      // the user named it, or the authority that vouches for it
  kFound,      // it announced itself on the network, as anybody can: it is only read from, and told no token
  kLocalPort,  // nobody named it, but it is this machine: it must be a process of the same user or root
};

struct Remote {
  bool tls = false;
  std::string host;  // a name or an address, without brackets
  std::string port;
  std::string token;         // empty: none
  std::string ca_file;       // PEM; empty: the authorities that this machine trusts
  std::string address = {};  // numeric: where `host` is; empty: as the machine resolves it
  Trust trust = Trust::kNamed;

  // "host:port", as a Host header has it.
  std::string authority() const;
  std::string text() const { return (tls ? "https://" : "http://") + authority(); }
  friend bool operator==(const Remote&, const Remote&) = default;
};

// What --url and --ca-file say, set once, while the command line is parsed.
struct RemoteOptions {
  std::string url;
  std::string volume;
  std::string ca_file;
};
RemoteOptions& remote_options();

// "http://HOST[:PORT]" or "https://HOST[:PORT]"; without a port it is 7734. kInvalid says what is wrong.
Result<Remote> parse_url(const std::string& url);

// Adds what a server that may be told it is told: the token, FIRN_TOKEN or what $XDG_CONFIG_HOME/firn/token
// (~/.config/firn/token) holds, which others must not be able to read.
Status add_token(Remote& remote);
// The authority to trust: --ca-file, or FIRN_CA_FILE.
std::string chosen_ca_file();

// With its token. nullopt: none of --url, --volume and FIRN_URL is there. Searches the network for --volume, once.
Result<std::optional<Remote>> chosen_remote();
// Whether the command line itself names it, not the environment.
bool remote_is_explicit();

}  // namespace firn::cli
