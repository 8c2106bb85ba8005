// Seeds of simulations: some hundreds in a test, thousands in a soak (scripts/soak), or the one that failed.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace firn::testing {

// `usual`, or FIRN_SEEDS.
inline uint64_t seeds(uint64_t usual) {
  const char* given = std::getenv("FIRN_SEEDS");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : usual;
}

// Runs `body(seed)` for every seed from 1 on until one fails, or for the one of FIRN_SEED. A failure tells the seed.
template <class Body>
void for_seeds(uint64_t usual, Body body) {
  const char* one = std::getenv("FIRN_SEED");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t last = one != nullptr ? first : seeds(usual);
  for (uint64_t seed = first; seed <= last && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("FIRN_SEED=" + std::to_string(seed));
    body(seed);
  }
}

}  // namespace firn::testing
