#include "migrate/hard_links.h"

namespace firn::migrate {

std::optional<InodeId> HardLinks::find(const FileKey& key) {
  const std::lock_guard lock(files_mutex_);
  const auto found = files_.find(key);
  if (found == files_.end()) return std::nullopt;
  return found->second.inode;
}

void HardLinks::made(const FileKey& key, uint64_t links, InodeId inode) {
  const std::lock_guard lock(files_mutex_);
  files_[key] = {.inode = inode, .names_left = links - 1};
}

void HardLinks::linked(const FileKey& key) {
  const std::lock_guard lock(files_mutex_);
  const auto found = files_.find(key);
  if (found != files_.end() && --found->second.names_left == 0) files_.erase(found);
}

}  // namespace firn::migrate
