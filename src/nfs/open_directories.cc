#include "nfs/open_directories.h"

namespace firn::nfs {

OpenDirectories::Directory OpenDirectories::find(InodeId inode) {
  std::lock_guard lock(mutex_);
  const auto found = kept_.find(inode);
  if (found == kept_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return found->second->second;
}

io::Task<Result<std::shared_ptr<vfs::DirHandle>>> OpenDirectories::get(InodeId inode) {
  if (Directory directory = find(inode)) co_return directory;
  const meta::Credentials who{.kernel_checked = true, .door = door_};
  vfs::DirHandle* opened = CO_TRY(co_await volume_.open_directory(who, inode));
  Directory directory(opened, [&volume = volume_](vfs::DirHandle* handle) { volume.release_directory(handle); });
  std::lock_guard lock(mutex_);
  const auto [place, is_new] = kept_.try_emplace(inode);
  if (!is_new) co_return place->second->second;  // somebody was quicker
  order_.emplace_front(inode, directory);
  place->second = order_.begin();
  if (order_.size() > kMost) {
    kept_.erase(order_.back().first);
    order_.pop_back();
  }
  co_return directory;
}

void OpenDirectories::clear() {
  Order all;  // let go after the lock
  std::lock_guard lock(mutex_);
  all.swap(order_);
  kept_.clear();
}

}  // namespace firn::nfs
