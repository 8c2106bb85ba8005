// The section [nfs] of firn.toml.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"

namespace firn::cli {

struct NfsSettings {
  std::string address;  // empty: no NFS
  std::vector<std::string> exports;
  bool sync = true;
  bool rpcbind = false;
};

void append_schema(NfsSettings& settings, config::Schema& schema);

}  // namespace firn::cli
