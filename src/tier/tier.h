// A colder tier: a place with a name. Its position among the volume's tiers is its bit in a blob's record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "object/store.h"

namespace firn::tier {

inline constexpr size_t kMaxTiers = 8;

struct Tier {
  std::string name;
  object::ObjectStore& store;
};

// Nearest first.
using Tiers = std::vector<Tier>;

// The bits of all of them.
inline uint32_t all_of(const Tiers& tiers) { return (uint32_t{1} << tiers.size()) - 1; }

}  // namespace firn::tier
