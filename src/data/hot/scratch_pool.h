// ScratchPool: the empty files that wait to be lent, and how many there should be. No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "data/store.h"
#include "io/sync.h"

namespace firn::data::internal {

// One step of a refill: whoever needs a scratch file waits for it.
struct RefillStep {
  io::Event done;
  Status status;  // written before `done` is set
};

// Thread-safe; the lock is held for a few instructions.
class ScratchPool {
 public:
  // After a failed refill, callers that do not insist leave the disk alone for this long.
  static constexpr int64_t kRetryDelayNs = 100'000'000;
  // A refill that comes later than this after the last one halves the target.
  static constexpr int64_t kCalmNs = 2'000'000'000;

  ScratchPool(size_t min_ready, size_t max_ready);

  struct Taken {
    ObjectRef object;  // null: none is ready
    bool low = false;  // below the watermark, and no refill runs
  };
  Taken take();

  // True when the caller must run a refill now: it is the only one until end_refill(). `insist`: even right after a
  // failure.
  bool begin_refill(int64_t now_ns, bool insist);
  // Files that the refill should still make; 0: enough.
  size_t shortfall() const;
  // Wakes those who wait for the step that just ended.
  void step_done(Status status);
  void end_refill(Status status, int64_t now_ns);
  // The step to wait for; null when no refill runs.
  std::shared_ptr<RefillStep> current_step() const;

  // Adds ready objects; yields those that exceed the maximum.
  [[nodiscard]] std::vector<ObjectRef> add_ready(std::vector<ObjectRef> objects);
  void add_waiting(ObjectRef object);
  std::vector<ObjectRef> take_waiting();
  // True while somebody who wanted a file would go without.
  bool dry() const;
  bool has_room() const;
  size_t ready_count() const;
  size_t waiting_count() const;
  // Drops everything, now and from now on.
  void close();

 private:
  size_t watermark() const { return target_ / 2; }

  const size_t min_ready_, max_ready_;
  mutable std::mutex mutex_;  // guards everything below
  std::vector<ObjectRef> ready_;
  std::vector<ObjectRef> waiting_;
  size_t target_;
  bool ran_dry_ = false;  // since the last refill began
  bool refilling_ = false;
  bool closed_ = false;
  int64_t retry_at_ns_ = 0;
  int64_t last_refill_ns_ = 0;
  std::shared_ptr<RefillStep> step_;
};

}  // namespace firn::data::internal
