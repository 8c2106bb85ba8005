// http::InodeLocks: one request at a time changes a file, so that the conditions it came with still hold when it does.
#pragma once

#include <map>
#include <mutex>

#include "base/ids.h"
#include "io/sync.h"

namespace firn::http {

// Thread-safe. Of use among those who take them only: other doors do not.
class InodeLocks {
 public:
  class Guard;

  // Waits for its turn. The locks outlive the guard.
  io::Task<Guard> lock(InodeId inode);

 private:
  struct Lock {
    io::Mutex mutex;
    size_t users = 0;  // who holds it or waits for it
  };
  void leave(InodeId inode);

  std::mutex locks_mutex_;  // guards locks_
  std::map<InodeId, Lock> locks_;
};

class InodeLocks::Guard {
 public:
  Guard(InodeLocks* locks, InodeId inode, io::Mutex::Guard held)
      : locks_(locks), inode_(inode), held_(std::move(held)) {}
  Guard(Guard&& other) noexcept
      : locks_(std::exchange(other.locks_, nullptr)), inode_(other.inode_), held_(std::move(other.held_)) {}
  Guard& operator=(Guard&&) = delete;
  ~Guard() {
    if (!locks_) return;
    held_.release();
    locks_->leave(inode_);
  }

 private:
  InodeLocks* locks_;
  InodeId inode_;
  io::Mutex::Guard held_;
};

inline io::Task<InodeLocks::Guard> InodeLocks::lock(InodeId inode) {
  Lock* lock = nullptr;
  {
    const std::lock_guard guard(locks_mutex_);
    lock = &locks_[inode];
    ++lock->users;
  }
  co_return Guard(this, inode, co_await lock->mutex.lock());
}

inline void InodeLocks::leave(InodeId inode) {
  const std::lock_guard guard(locks_mutex_);
  const auto found = locks_.find(inode);
  if (--found->second.users == 0) locks_.erase(found);
}

}  // namespace firn::http
