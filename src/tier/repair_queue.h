// RepairQueue: objects that readers found damaged, until the scrubber has looked at them.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>

#include "io/cancel.h"
#include "io/task.h"
#include "tier/hydrator.h"

namespace firn::tier {

// Thread-safe. What does not fit is left to the next scrub, or to the next reader.
class RepairQueue {
 public:
  static constexpr size_t kMaxWaiting = 64;  // objects

  // An object of one tier.
  struct Object {
    std::string blob;  // its name
    std::string tier;
    friend bool operator==(const Object&, const Object&) = default;
  };
  using Repair = std::function<io::Task<Result<void>>(Object object, io::CancelToken* token)>;

  // Returns at once. An object that waits already does not wait twice.
  void note(const Damage& damage);
  // Has them repaired, one by one, until `token` is cancelled. A failure is logged: whoever reads it next notes it
  // again.
  io::Task<void> run(Repair repair, io::CancelToken* token);

  // Chunks that readers found damaged; objects that were put right since.
  uint64_t damaged_chunks() const { return damaged_.load(std::memory_order_relaxed); }
  uint64_t repaired_objects() const { return repaired_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;  // guards the queue
  std::deque<Object> waiting_;
  std::atomic<uint64_t> damaged_ = 0, repaired_ = 0;
};

}  // namespace firn::tier
