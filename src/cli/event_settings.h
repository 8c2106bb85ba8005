// The section [events] of firn.toml.
#pragma once

#include <cstdint>

#include "base/config.h"

namespace firn::cli {

struct EventSettings {
  int64_t keep = 1'000'000;  // 0: no log
  int64_t streams = 32;
};

void append_schema(EventSettings& settings, config::Schema& schema);

}  // namespace firn::cli
