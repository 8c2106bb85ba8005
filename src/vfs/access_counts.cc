#include "vfs/access_counts.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace firn::vfs {

double count_of(AccessLevel level, Timestamp now) {
  if (level == 0) return 0;
  return std::exp2(static_cast<double>(level - now.seconds) / kAccessHalfLifeS);
}

AccessLevel raised(AccessLevel level, Timestamp now) {
  const double count = count_of(level, now) + 1;
  return now.seconds + std::llround(kAccessHalfLifeS * std::log2(count));
}

void AccessCounts::note(InodeId inode, AccessLevel recorded, Timestamp now) {
  std::lock_guard lock(mutex_);
  AccessLevel& level = levels_.try_emplace(inode, recorded).first->second;
  level = raised(level, now);
  if (levels_.size() > kMaxFiles) forget_least();
}

AccessLevel AccessCounts::level_of(InodeId inode, AccessLevel recorded) const {
  std::lock_guard lock(mutex_);
  const auto found = levels_.find(inode);
  return found == levels_.end() ? recorded : found->second;
}

void AccessCounts::forget_least() {
  std::vector<AccessLevel> all;
  all.reserve(levels_.size());
  for (const auto& [inode, level] : levels_) all.push_back(level);
  const auto middle = all.begin() + static_cast<ptrdiff_t>(all.size() / 2);
  std::ranges::nth_element(all, middle);
  size_t left = all.size() / 2;  // also where they are all alike
  std::erase_if(levels_, [&](const auto& one) { return one.second <= *middle && left > 0 && left-- > 0; });
}

}  // namespace firn::vfs
