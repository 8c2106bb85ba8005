// How much there is to migrate, for those who want to know how long it takes.
#pragma once

#include "migrate/options.h"

namespace firn::migrate {

// Adds what the sources hold to progress.total_files and total_bytes, until it is told to stop. What cannot be looked
// at is not counted. Blocks.
void count_sources(const Options& options, Progress& progress);

}  // namespace firn::migrate
