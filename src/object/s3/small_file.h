// Small files that hold a token.
#pragma once

#include <string>

#include "base/status.h"

namespace firn::object::s3 {

// At most 64 KiB of a local file. kAccessDenied: "PATH: the reason", also of one that is empty.
Result<std::string> read_small_file(const std::string& path);

// Puts `after` in the place of `before`, all of it or nothing, durably, for its owner alone (mode 0600; where it may,
// the one of before). Blocks. That the file is no longer `before` is no failure: then it stays as it is. A link stays
// one.
Status replace_small_file(const std::string& path, const std::string& before, const std::string& after);

}  // namespace firn::object::s3
