// How a daemon shares out the files that it may have open.
#pragma once

#include <cstdint>

#include "cli/settings.h"

namespace firn::cli {

// Shrinks the pools of `settings`, requests to tiers, and what HTTP and NFS may hold open, to what fits into `limit`
// descriptors:
//
//   some for what the daemon cannot do without; of the rest
//   one for each request that may be under way to a store of tiers.stores, a quarter at most; of what is left
//   a quarter for the pool of scratch files, a quarter for files that were open lately (both are given up when needed)
//   an eighth for HTTP, an eighth for NFS
//   a quarter at least for files that are open through FUSE, which is not bounded
//
// A flood of connections or opens through one door is refused there, and leaves the others what is theirs.
void share_descriptors(uint64_t limit, Settings& settings);

// Raises RLIMIT_NOFILE as far as it goes, and shares out what it is then. The limit.
uint64_t fit_descriptors(Settings& settings);

}  // namespace firn::cli
