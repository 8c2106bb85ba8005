// The section [nfs] of firn.toml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"

namespace firn::cli {

struct NfsSettings {
  std::string address;  // empty: no NFS
  std::vector<std::string> exports;
  bool sync = true;
  bool rpcbind = false;
  int64_t connections_per_address = 128;
  // No settings, but what fits into the limit of descriptors (cli/descriptors.h).
  int64_t connections = 256;
  int64_t open_files = 1024;
};

void append_schema(NfsSettings& settings, config::Schema& schema);

}  // namespace firn::cli
