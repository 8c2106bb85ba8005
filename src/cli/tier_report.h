// What `firn status` tells of colder tiers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/shipping.h"
#include "cli/stores.h"
#include "cli/tier_limits.h"
#include "meta/service.h"
#include "tier/repair_queue.h"
#include "vfs/tiers.h"

namespace firn::cli {

// The "tiers" member of GET /v1/status; what is wrong is appended to `reasons`.
nlohmann::json describe_tiers(const std::vector<TierInfo>& tiers, const std::vector<TierLimits::Report>& limits,
                              const vfs::TierStatistics& state, Timestamp now, const tier::RepairQueue& repairs,
                              nlohmann::json& reasons);
// Its members of files that stay on the local disk.
void describe_kept(const meta::Usage& usage, nlohmann::json& tiers);
// Its "metadata" member: how the metadata gets to the coldest tier.
nlohmann::json describe_shipping(const Shipping::Report& report, const Status& permitted, nlohmann::json& reasons);
// The same, for people.
void print_tiers(const nlohmann::json& tiers);

}  // namespace firn::cli
