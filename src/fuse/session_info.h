// What `firn status` shows of a mount.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "fuse/transport.h"

namespace firn::fuse {

struct OpcodeInfo {
  std::string_view name;
  uint64_t requests = 0, errors = 0;
};

struct SessionInfo {
  std::string mount_point;
  std::string source;
  bool connected = false;
  TransportKind transport = TransportKind::kDev;
  std::string transport_reason;  // why this one, and how to get the other
  bool passthrough = false;
  std::string passthrough_reason;
  uint32_t protocol_minor = 0;
  uint32_t max_write = 0;
  uint64_t readahead_bytes = 0;                   // the kernel's; 0 as well: it does not say
  uint64_t dev_requests = 0, uring_requests = 0;  // messages that came over each transport
  uint64_t notifications = 0;
  std::vector<OpcodeInfo> opcodes;         // those that were used
  metrics::Histogram::Summary latency_ns;  // of a sample of the requests
};

// "LOOKUP"; empty for an opcode that does not exist.
std::string_view opcode_name(uint32_t opcode);

}  // namespace firn::fuse
