#include "migrate/known_contents.h"

namespace firn::migrate {

InodeId& KnownContents::file_locked(const ContentHash& content, InodeId inode) {
  const auto [entry, added] = files_.try_emplace(content, inode);
  if (added) oldest_first_.push_back(&entry->first);
  if (files_.size() > max_entries_) {
    files_.erase(*oldest_first_.front());
    oldest_first_.pop_front();
  }
  return entry->second;
}

InodeId KnownContents::find_or_add(const ContentHash& content, InodeId inode) {
  const std::lock_guard lock(mutex_);
  return file_locked(content, inode);
}

InodeId KnownContents::replace(const ContentHash& content, InodeId was, InodeId inode) {
  const std::lock_guard lock(mutex_);
  InodeId& known = file_locked(content, inode);
  if (known == was) known = inode;
  return known;
}

}  // namespace firn::migrate
