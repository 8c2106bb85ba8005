#include "tier/blob_uses.h"

#include <algorithm>
#include <vector>

namespace firn::tier {

void BlobUses::note(const std::string& blob, Timestamp time) {
  std::lock_guard lock(mutex_);
  Timestamp& last = times_[blob];
  last = std::max(last, time);
  if (times_.size() > kMost) forget_older_half();
}

Timestamp BlobUses::last(const std::string& blob) const {
  std::lock_guard lock(mutex_);
  const auto found = times_.find(blob);
  return found == times_.end() ? Timestamp() : found->second;
}

void BlobUses::forget_older_half() {
  std::vector<Timestamp> all;
  for (const auto& [blob, time] : times_) all.push_back(time);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::ranges::nth_element(all, middle);
  // Where many are of one moment, they all go: that is within the promise.
  std::erase_if(times_, [middle](const auto& one) { return one.second <= *middle; });
}

}  // namespace firn::tier
