// Looks which volumes are served on the local network.
#pragma once

#include <string>
#include <vector>

#include "discovery/peer.h"

namespace firn::discovery {

struct BrowseOptions {
  int64_t timeout_ms = 3000;
  // A whole id: the search ends as soon as it is found. Empty: it goes on until Avahi says that what answers has
  // answered (about a second), or, while nothing has, until the timeout.
  std::string id = {};
};

struct Found {
  std::vector<Peer> peers;  // at most 256
  std::string notice;       // why nothing can be found; empty: it can
};

// Blocks for at most the timeout, and what the system's message bus takes to accept a connection. A machine without
// Avahi is no failure: the answer is empty and at once, and has a notice.
Found browse(const BrowseOptions& options);

}  // namespace firn::discovery
