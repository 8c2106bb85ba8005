// discovery::Peer: a volume that was found on the network, and which of several is meant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "discovery/service.h"

namespace firn::discovery {

struct Peer {
  Service service;
  std::string host;     // as it calls itself, such as "nas.local"
  std::string address;  // numeric, the best of those it was found at; of a link-local one with "%interface" at its end
  uint16_t port = 0;

  // "https://nas.local:7734"
  std::string url() const;
  // "192.168.1.5:7734", "[fe80::1%eth0]:7734"
  std::string endpoint() const;
};

// A service that is reached in several ways (interfaces, IPv4 and IPv6) is one Peer. In the order of names, then ids.
std::vector<Peer> merged(std::vector<Peer> found);

// Whether `wanted` is the peer's name, its id, or the beginning of its id (at least 8 digits).
bool is_meant(const Peer& peer, std::string_view wanted);

// The one that `wanted` means; of an empty `wanted`, the only one that there is. kNotFound: none.
// kInvalid: several; the message names them, and says how to choose.
Result<Peer> choose(const std::vector<Peer>& peers, std::string_view wanted);

}  // namespace firn::discovery
