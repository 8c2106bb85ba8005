// Locks on inodes within this process: a fixed table of coroutine mutexes, an inode's number picks one.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/ids.h"
#include "io/sync.h"
#include "io/task.h"

namespace firn::meta {

inline constexpr size_t kMaxLockedInodes = 4;

// A few inode numbers; 0 entries are ignored.
using InodeList = std::array<InodeId, kMaxLockedInodes>;

class LockTable {
 public:
  static constexpr size_t kStripes = 1024;

  LockTable() : stripes_(new io::Mutex[kStripes]) {}

  static size_t stripe_of(InodeId inode) { return inode.value % kStripes; }
  io::Mutex& stripe(size_t index) { return stripes_[index]; }

 private:
  const std::unique_ptr<io::Mutex[]> stripes_;
};

// The locks that one operation holds; released by the destructor. Locks are waited for in stripe order only, so that
// operations cannot deadlock; what is not known at first is added by try_add(), which never waits.
class LockSet {
 public:
  explicit LockSet(LockTable& table) : table_(table) {}

  // Nothing may be held yet.
  io::Task<void> lock(InodeList inodes);
  // True when the inode is locked now (or was). False: somebody else has it; release all, and lock all at once.
  bool try_add(InodeId inode);
  void release();

 private:
  struct Held {
    size_t stripe = 0;
    io::Mutex::Guard guard;
  };
  bool holds(size_t stripe) const;

  LockTable& table_;
  std::array<Held, kMaxLockedInodes> held_;
  size_t count_ = 0;
};

}  // namespace firn::meta
