#include "tier/packing_order.h"

#include <algorithm>
#include <tuple>

namespace firn::tier {

void PackingOrder::note(InodeId inode, InodeId directory, std::string name) {
  std::lock_guard lock(mutex_);
  if (places_.size() >= kMaxFiles) places_.clear();
  places_.insert_or_assign(inode, Place{directory, std::move(name)});
}

void PackingOrder::forget(InodeId inode) {
  std::lock_guard lock(mutex_);
  places_.erase(inode);
}

void PackingOrder::sort(std::vector<meta::Pending>& files) const {
  static const Place kNowhere;
  std::lock_guard lock(mutex_);
  const auto place_of = [this](InodeId inode) -> const Place& {
    const auto found = places_.find(inode);
    return found == places_.end() ? kNowhere : found->second;
  };
  std::unordered_map<InodeId, Timestamp> oldest;
  for (const meta::Pending& file : files) {
    const auto [found, is_new] = oldest.try_emplace(place_of(file.inode).directory, file.since);
    if (!is_new) found->second = std::min(found->second, file.since);
  }
  std::ranges::sort(files, {}, [&](const meta::Pending& file) {
    const Place& place = place_of(file.inode);
    const bool known = place.directory != InodeId();
    return std::tuple(known ? oldest.at(place.directory) : file.since, place.directory, std::string_view(place.name),
                      file.inode);
  });
}

}  // namespace firn::tier
