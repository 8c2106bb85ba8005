// AccessTimes: when files were read, until enough of it has gathered to be worth a transaction.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_map>

#include "io/sync.h"
#include "meta/service.h"

namespace firn::vfs {

// Thread-safe. A crash takes what has not been saved: an access time is no promise (relatime).
class AccessTimes {
 public:
  explicit AccessTimes(meta::Service& meta) : meta_(meta) {}

  // True: there are many; the caller should save().
  bool note(InodeId inode, Timestamp time);
  // The newer of the record's time and what is noted.
  void overlay(meta::Attr& attr) const;
  // Somebody is about to set the time himself: once this returned, what was noted before will not come after it.
  io::Task<void> forget(InodeId inode);
  // Inodes that are gone are passed over. On failure what could not be saved stays noted.
  io::Task<Result<void>> save();

 private:
  using Times = std::unordered_map<InodeId, Timestamp>;
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }

  static constexpr size_t kMany = 4096;

  meta::Service& meta_;
  io::Mutex saving_;          // held while saved_ is on its way
  mutable std::mutex mutex_;  // guards the two maps; a few instructions
  Times noted_;
  Times saved_;                    // being saved
  std::atomic<size_t> count_ = 0;  // of both
};

}  // namespace firn::vfs
