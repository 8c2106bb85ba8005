// Small files that hold a token.
#pragma once

#include <string>

#include "base/status.h"

namespace firn::object::s3 {

// At most 64 KiB of a local file. kAccessDenied: "PATH: the reason", also of one that is empty.
Result<std::string> read_small_file(const std::string& path);

}  // namespace firn::object::s3
