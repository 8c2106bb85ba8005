#include "vfs/access_times.h"

#include <algorithm>
#include <vector>

namespace firn::vfs {

bool AccessTimes::note(InodeId inode, Timestamp time) {
  std::lock_guard lock(mutex_);
  Timestamp& noted = noted_[inode];
  noted = std::max(noted, time);
  count_.store(noted_.size() + saved_.size(), std::memory_order_release);
  return noted_.size() >= kMany;
}

void AccessTimes::overlay(meta::Attr& attr) const {
  if (empty()) return;
  std::lock_guard lock(mutex_);
  for (const Times* times : {&saved_, &noted_})
    if (const auto found = times->find(attr.inode); found != times->end())
      attr.atime = std::max(attr.atime, found->second);
}

io::Task<void> AccessTimes::forget(InodeId inode) {
  if (empty()) co_return;
  {
    std::lock_guard lock(mutex_);
    noted_.erase(inode);
    if (!saved_.contains(inode)) co_return;
  }
  co_await saving_.lock();
}

io::Task<Result<void>> AccessTimes::save() {
  if (empty()) co_return Result<void>();
  const auto alone = co_await saving_.lock();
  std::vector<meta::Access> accesses;
  {
    std::lock_guard lock(mutex_);
    saved_.swap(noted_);
    accesses.reserve(saved_.size());
    for (const auto& [inode, time] : saved_) accesses.push_back({inode, time});
  }
  // Neighbours share tables and locks.
  std::ranges::sort(accesses, {}, &meta::Access::inode);
  const Result<void> done = co_await meta_.record_accesses(accesses);
  std::lock_guard lock(mutex_);
  if (!done) noted_.merge(saved_);
  saved_.clear();
  count_.store(noted_.size(), std::memory_order_release);
  co_return done;
}

}  // namespace firn::vfs
