// What this program is.
#pragma once

#include <string>

namespace firn::cli {

// "firn 0.1.0 (format 1)".
std::string version_text();

}  // namespace firn::cli
