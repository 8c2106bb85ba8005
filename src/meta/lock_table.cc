#include "meta/lock_table.h"

#include <algorithm>

#include "base/check.h"

namespace firn::meta {

io::Task<void> LockSet::lock(InodeList inodes) {
  CHECK(count_ == 0);
  std::array<size_t, kMaxLockedInodes> stripes;
  size_t wanted = 0;
  for (InodeId inode : inodes)
    if (inode) stripes[wanted++] = LockTable::stripe_of(inode);
  std::sort(stripes.begin(), stripes.begin() + wanted);
  for (size_t i = 0; i < wanted; ++i) {
    if (i > 0 && stripes[i] == stripes[i - 1]) continue;
    held_[count_].guard = co_await table_.stripe(stripes[i]).lock();
    held_[count_].stripe = stripes[i];
    ++count_;
  }
}

bool LockSet::try_add(InodeId inode) {
  const size_t stripe = LockTable::stripe_of(inode);
  if (holds(stripe)) return true;
  CHECK(count_ < held_.size());
  io::Mutex& mutex = table_.stripe(stripe);
  if (!mutex.try_lock_raw()) return false;
  held_[count_].guard = io::Mutex::Guard(&mutex);
  held_[count_].stripe = stripe;
  ++count_;
  return true;
}

void LockSet::release() {
  while (count_ > 0) held_[--count_].guard.release();
}

bool LockSet::holds(size_t stripe) const {
  for (size_t i = 0; i < count_; ++i)
    if (held_[i].stripe == stripe) return true;
  return false;
}

}  // namespace firn::meta
