// firn tier set: which files stay on the local disk, and which tiers they are kept out of.
#pragma once

#include "cli/command.h"

namespace firn::cli {

void add_tier_set(Command& tier);

}  // namespace firn::cli
