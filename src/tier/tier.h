// A colder tier: a place with a name. Its position among the volume's tiers is its bit in a blob's record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "meta/types.h"
#include "object/wrappers.h"

namespace firn::tier {

inline constexpr size_t kMaxTiers = 8;
static_assert(meta::kEveryTier == (1u << kMaxTiers) - 1);

struct Tier {
  std::string name;
  object::ObjectStore& store;
  const object::Health* health = nullptr;  // how it has answered lately; null: not known
};

// Nearest first.
using Tiers = std::vector<Tier>;

// The bits of all of them.
inline uint32_t all_of(const Tiers& tiers) { return (uint32_t{1} << tiers.size()) - 1; }
// Of those that are to have what skips some.
inline uint32_t wanted_of(const Tiers& tiers, uint32_t skip) { return all_of(tiers) & ~skip; }

}  // namespace firn::tier
