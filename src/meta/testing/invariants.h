// Reads every record of a volume and says what contradicts what.
#pragma once

#include <string>
#include <vector>

#include "kv/kv.h"

namespace firn::meta::testing {

// One line per contradiction among dirents, inodes, link counts, parents, orphans, live marks, xattrs, inline values
// and usage counters. Empty: the volume is sound.
std::vector<std::string> contradictions(kv::Engine& engine);

}  // namespace firn::meta::testing
