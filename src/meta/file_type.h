// What kinds of files are called, in answers and messages.
#pragma once

#include <string_view>

#include "meta/types.h"

namespace firn::meta {

// "file", "directory", "symlink", ...
std::string_view name_of(FileType type);

}  // namespace firn::meta
