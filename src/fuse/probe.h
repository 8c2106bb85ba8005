// What this machine's kernel can do for the transports. Reads /sys: a few microseconds.
#pragma once

#include <optional>
#include <string>

#include "fuse/transport.h"

namespace firn::fuse {

struct UringProbe {
  bool available = false;
  std::string reason;  // why not, and what would change it; or what was found
};

// `ring_has_sqe128`: of the reactors. `wish`: the mount option.
UringProbe probe_uring(bool ring_has_sqe128, std::optional<TransportKind> wish);
// The processors the kernel could have: as many queues it wants.
unsigned possible_processors();
// The processor that the calling thread is pinned to; -1 when there are several.
int pinned_processor();

}  // namespace firn::fuse
