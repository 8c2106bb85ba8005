// TierOrder: which of the tiers that have something is asked first, and when the next one is asked as well.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "io/cancel.h"
#include "io/task.h"
#include "tier/tier.h"

namespace firn::tier {

struct TierOrderOptions {
  // A tier from which nothing at all has come for so long while it was asked, and for what the bytes take at that rate,
  // is waited for no longer: the next one is asked as well. What has come is looked at each time so long has passed.
  int64_t hedge_ns = 2'000'000'000;
  uint64_t slow_bytes_per_s = 1 << 20;
  // One that failed, or was not waited for, is asked last for so long; then one request is for finding out whether it
  // answers again, and the next tier is asked after trial_ns.
  int64_t leave_alone_ns = 10'000'000'000;
  int64_t trial_ns = 500'000'000;
};

// Thread-safe; each call stays on its reactor.
class TierOrder {
 public:
  explicit TierOrder(const Tiers& tiers, TierOrderOptions options = {}) : tiers_(tiers), options_(options) {}

  struct Failure {
    size_t tier;
    Status what;
  };
  // kInterrupted once its token is cancelled, and soon.
  using Ask = std::function<io::Task<Result<void>>(size_t tier, io::CancelToken* token)>;
  // Asks those of `tiers` (bits) for `bytes`, nearest first, until one has succeeded: which. The others have ended
  // then, too. Nullopt: none did. `failures` gets those that failed by themselves, in order. `token` may be null.
  io::Task<std::optional<size_t>> first_answer(uint32_t tiers, uint64_t bytes, Ask ask, std::vector<Failure>& failures,
                                               io::CancelToken* token);

 private:
  struct Turn {
    size_t tier;
    int64_t wait_ns;  // before the next one is asked as well
  };
  // Of this process's own requests here; monotonic, 0: never.
  struct Seen {
    std::atomic<int64_t> answered_ns = 0;
    std::atomic<int64_t> failed_ns = 0;
    std::atomic<int64_t> tried_ns = 0;  // the last trial
  };
  struct Asked;
  struct Race;

  std::vector<Turn> order_of(uint32_t tiers, uint64_t bytes);
  int64_t heard_ns(Asked& one) const;
  bool is_failing(size_t tier) const;
  bool takes_trial(size_t tier);
  void note(size_t tier, Code outcome);
  io::Task<void> run(Race& race, Asked& one, Ask& ask, io::CancelToken* token);

  const Tiers& tiers_;
  const TierOrderOptions options_;
  std::array<Seen, kMaxTiers> seen_;
};

}  // namespace firn::tier
