// MetadataFollower: a read-only view of a volume that somebody else writes, as far as the bucket knows it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "tier/metadata/restore.h"

namespace firn::tier {

struct FollowOptions {
  RestoreOptions restore;
  // How often, while the log stands still, to ask whether there is a newer root and the log from here on has been
  // removed. Shorter than the writer's RetentionOptions::grace_ns.
  int64_t root_check_ns = 600'000'000'000;
  size_t logs_in_flight = 8;
  // After commits were applied (their batches, see log_payload.h), and after the whole state was replaced: what was
  // remembered of it is void. May be empty.
  std::function<void(std::string_view payload)> on_applied;
  std::function<void()> on_replaced;
};

// Where a state of the volume goes that is read whole.
struct FollowTarget {
  FollowTarget() = default;
  // NOLINTNEXTLINE: a target alone is one, too
  FollowTarget(std::unique_ptr<kv::RestoreTarget> restore_target, std::shared_ptr<void> its_place = nullptr)
      : target(std::move(restore_target)), place(std::move(its_place)) {}

  std::unique_ptr<kv::RestoreTarget> target;
  // Destroyed when neither the target nor an engine that it made is there any more: takes away what they left.
  std::shared_ptr<void> place;
};

// Calls that wait are for one caller at a time, on one reactor. engine() is thread-safe.
class MetadataFollower {
 public:
  using MakeTarget = std::function<FollowTarget()>;

  // `make_target`: asked for a fresh one for every root that is read whole; the engines that they make must be able to
  // exist at the same time.
  MetadataFollower(Bucket bucket, MakeTarget make_target, FollowOptions options);
  ~MetadataFollower();

  // Reads the newest root and the log. As restore_metadata().
  io::Task<Result<void>> open(io::CancelToken* token = nullptr);
  // Applies what is new. A failure leaves the state as it was, or further on; try again. What has to be read whole, and
  // could not be, is not tried at each call: the next ones fail as it did, for up to a minute (FollowOptions::
  // root_check_ns where something is damaged).
  io::Task<Result<void>> poll(io::CancelToken* token = nullptr);

  // Always the newest state: the same object for the follower's life. A transaction keeps the state that it began with,
  // also when that is replaced. Commits that write fail with kReadOnly.
  kv::Engine& engine();
  const Position& position() const { return position_; }

 private:
  class Engine;
  io::Task<Result<void>> read_newest(io::CancelToken* token);
  io::Task<Result<void>> look_for_root(io::CancelToken* token);
  io::Task<Result<void>> start_over(io::CancelToken* token);

  const Bucket bucket_;
  const MakeTarget make_target_;
  const FollowOptions options_;
  std::unique_ptr<Engine> engine_;
  Position position_;
  int64_t next_check_ns_ = 0;
  int64_t next_start_ns_ = 0;  // start_over() has failed with `start_failure_`
  int64_t start_pause_ns_ = 0;
  Status start_failure_;
};

}  // namespace firn::tier
