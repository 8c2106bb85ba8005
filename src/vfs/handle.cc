#include "vfs/handle.h"

#include <fcntl.h>

namespace firn::vfs {

bool Handle::writes() const { return (flags & O_ACCMODE) != O_RDONLY; }

bool Handle::syncs_writes() const { return (flags & O_DSYNC) != 0; }

std::optional<std::string> DirHandle::name_of(uint64_t cookie) const {
  std::lock_guard lock(names_mutex_);
  auto it = names_.find(cookie);
  if (it == names_.end()) return std::nullopt;
  return it->second;
}

void DirHandle::remember(uint64_t cookie, std::string_view name) {
  std::lock_guard lock(names_mutex_);
  if (!names_.try_emplace(cookie, name).second) return;
  order_.push_back(cookie);
  if (order_.size() <= kMaxRemembered) return;
  names_.erase(order_.front());
  order_.pop_front();
}

}  // namespace firn::vfs
