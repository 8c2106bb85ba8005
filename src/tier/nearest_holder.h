// Which tier all of an object is read from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tier/tier_order.h"

namespace firn::tier {

// The nearest of `among` (bits) that answers that it has the object: asked for something small, so that one that hangs
// is left for the next as soon as where parts of files are read, and remembered. Nullopt: none does. `failures` gets
// those that failed by themselves. Where there is only one, nobody asks it. `key` and `tiers` must outlive the task;
// `token` may be null.
io::Task<std::optional<size_t>> nearest_holder(TierOrder& order, const Tiers& tiers, uint32_t among,
                                               const std::string& key, std::vector<TierOrder::Failure>& failures,
                                               io::CancelToken* token);

}  // namespace firn::tier
