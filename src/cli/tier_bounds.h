// How much the local disk and each colder tier may hold, and when room is made there: [tier.NAME], else [tiers].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/tier_settings.h"

namespace firn::cli {

// What is in force.
struct TierBounds {
  uint64_t max_bytes = 0;      // 0: as much as fits
  unsigned high_percent = 85;  // of that: room is made from here ...
  unsigned low_percent = 70;   // ... down to here
};

// Rules of [tier.NAME] that need no names of tiers. kInvalid names file and line, also in what follows.
Status check_own_tiers(const TierSettings& settings);

TierBounds hot_bounds_of(const TierSettings& settings);

// Of the tiers of these names, nearest first. kInvalid: a setting is of the last tier, from which nothing can go, or of
// none of these, or it is given twice, or has nothing that it could be of.
Result<std::vector<TierBounds>> bounds_of(const TierSettings& settings, const std::vector<std::string>& names);

// Gives the local disk and all of tiers.stores but the last a [tier.NAME], for firn.toml; what it does not set is as
// [tiers] says.
void complete_own_tiers(TierSettings& settings);
// The same names, with nothing set.
std::vector<OwnTierSettings> without_own_values(const TierSettings& settings);

}  // namespace firn::cli
