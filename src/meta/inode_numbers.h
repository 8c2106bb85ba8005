// Hands out inode numbers: blocks come from a counter in the store, single numbers from memory. What is left of a block
// when the process ends is skipped, so that no number is ever used twice.
#pragma once

#include <mutex>

#include "base/ids.h"
#include "base/status.h"
#include "io/sync.h"
#include "io/task.h"
#include "kv/kv.h"

namespace firn::meta {

inline constexpr uint64_t kInodeBlock = 4096;

// Thread-safe.
class InodeNumbers {
 public:
  explicit InodeNumbers(kv::Engine& engine) : engine_(engine) {}

  // Suspends for a transaction once in kInodeBlock calls.
  io::Task<Result<InodeId>> next();

 private:
  InodeId take();
  io::Task<Result<uint64_t>> reserve(kv::Transaction& transaction);

  kv::Engine& engine_;
  io::Mutex refill_mutex_;  // one refill at a time
  std::mutex block_mutex_;  // guards next_ and end_
  uint64_t next_ = 0;
  uint64_t end_ = 0;
};

}  // namespace firn::meta
