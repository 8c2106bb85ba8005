// LateTiers: tiers that move, but later than others, and the blobs that they are still to get from those.
#pragma once

#include <array>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "tier/tier.h"

namespace firn::tier {

// Thread-safe; a tier's next(), done() and give_up() are for one coroutine. In memory: a pass finds out again what was
// forgotten.
class LateTiers {
 public:
  static constexpr size_t kMaxBlobs = 1 << 16;  // of each tier; what is beyond them a later pass finds again

  LateTiers() = default;
  ~LateTiers();
  LateTiers(const LateTiers&) = delete;
  LateTiers& operator=(const LateTiers&) = delete;

  // Those that lack some of theirs (bits). Passes leave them to who catches up.
  uint32_t tiers() const;
  // These are to get the blob, which another tier has.
  void note(uint32_t tiers, const std::string& blob);
  // Stands for all that was noted so far.
  uint64_t mark() const;
  // Of `tiers`, those that lack some of what was noted up to there.
  uint32_t lacking(uint32_t tiers, uint64_t mark) const;

  // What the tier is to get now; nullopt: nothing, and it is not late any more.
  std::optional<std::string> next(size_t tier) const;
  // It has it, or need not get it.
  void done(size_t tier);
  // It has failed: the next pass asks it, and finds out what it lacks.
  void give_up(size_t tier);

 private:
  struct Noted {
    uint64_t number = 0;
    std::string blob;
  };
  struct Queue {
    std::deque<Noted> in_order;
    std::unordered_set<std::string> names;
  };

  mutable std::mutex mutex_;  // guards what follows
  std::array<Queue, kMaxTiers> queues_;
  uint64_t mark_ = 0;
};

}  // namespace firn::tier
