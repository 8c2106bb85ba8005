// What this program is.
#pragma once

#include <string>

namespace firn::cli {

// "0.1.0".
std::string version_number();
// "firn 0.1.0 (format 2)".
std::string version_text();

}  // namespace firn::cli
