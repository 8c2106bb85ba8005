// Work that a daemon does while the command line shows how far it is.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/client.h"

namespace firn::cli {

// POST `route` ("/v1/admin/flush?path=/") to the daemon of the volume: the members of its last line. `what` stands
// before the bar.
Result<nlohmann::json> daemon_work(const Served& served, const std::string& route, const std::string& what);

}  // namespace firn::cli
