// What a running volume does for its colder tiers besides moving files: collecting what is dead, and scrubbing.
#pragma once

#include <optional>
#include <string_view>

#include "cli/running_volume.h"
#include "cli/scrub_state.h"
#include "cli/settings.h"
#include "http/api.h"
#include "io/cancel.h"
#include "io/sync.h"
#include "tier/repair_queue.h"
#include "tier/scrubber.h"

namespace firn::cli {

// Thread-safe. `running` has tiers, and must outlive stop().
class Maintenance {
 public:
  Maintenance(RunningVolume& running, const Settings& settings) : running_(running), settings_(settings) {}

  // Collects now and then, from now on. On a reactor.
  void start();
  io::Task<void> stop();

  // "gc" (dry_run=1, grace=SECONDS) and "scrub" (rate=BYTES each second, 0: as fast as it goes).
  // Nothing: it is neither. kInvalid: a parameter makes no sense.
  Result<std::optional<http::Work>> work(std::string_view name, const http::Request& request);

 private:
  struct Collecting {
    bool dry_run = false;
    int64_t grace_ns = 0;
  };
  io::Task<Result<std::string>> collect(Collecting what, http::WorkProgress* progress, io::CancelToken* token);
  // From where `state` is, which is moved along.
  io::Task<Result<std::string>> scrub(uint64_t bytes_per_s, ScrubState* state, http::WorkProgress* progress);
  io::Task<Result<std::string>> scrub_all(uint64_t bytes_per_s, http::WorkProgress* progress);
  io::Task<Result<void>> scrub_on();
  io::Task<void> keep_state(const ScrubState* state, io::CancelToken* until, io::Gate::Entry entry);
  io::Task<void> collect_now_and_then(io::Gate::Entry entry);
  io::Task<void> scrub_now_and_then(io::Gate::Entry entry);
  // Tiers that have others behind them are kept below their limits.
  io::Task<void> make_room_in_tiers(io::Gate::Entry entry);
  // What readers find damaged is put right, if it can be.
  io::Task<void> repair_damage(io::Gate::Entry entry);
  io::Task<Result<void>> repair(tier::RepairQueue::Object object, io::CancelToken* token);
  tier::Scrubber make_scrubber(tier::ScrubOptions options);
  Status permitted() const;

  RunningVolume& running_;
  const Settings settings_;
  const Timestamp began_ = system_clock().now();
  io::Mutex busy_;  // of what removes or moves blobs, one at a time; held across awaits
  io::CancelToken stopping_;
  io::Gate gate_;
};

}  // namespace firn::cli
