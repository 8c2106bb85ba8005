// Which files leave the local disk first.
#pragma once

#include <cmath>

#include "base/time.h"

namespace firn::vfs {

struct EvictionWeights {
  double recency = 1;
  double frequency = 1;
};

struct LastUse {
  Timestamp used;       // the file was read or written last
  double accesses = 0;  // a count that decays (access_counts.h)
};

// The lowest go first.
inline double eviction_score(const LastUse& file, Timestamp now, EvictionWeights weights) {
  const auto age_s = static_cast<double>(now > file.used ? now.seconds - file.used.seconds : 0);
  return weights.recency / (1 + age_s / 60) + weights.frequency * std::log2(1 + file.accesses);
}

}  // namespace firn::vfs
