// The metadata of a volume from the bucket alone.
#pragma once

#include <functional>
#include <memory>

#include "kv/shipping.h"
#include "tier/metadata/bucket.h"

namespace firn::tier {

struct RestoreProgress {
  uint64_t tables = 0, tables_done = 0;
  uint64_t bytes = 0, bytes_done = 0;  // of tables
  uint64_t logs_done = 0;
};

struct RestoreOptions {
  std::string volume;  // its id, if it is known: then roots of another are kCorrupt
  uint64_t root_hint = 0;
  size_t tables_in_flight = 4;
  uint64_t request_bytes = 8 << 20;  // of a table, at once: with the former, what is held in memory
  size_t logs_in_flight = 8;
  // Where the log has a hole, or an object that is damaged, what was committed before that is taken, instead of nothing
  // (Restored::given_up).
  bool rewinds = false;
  std::function<void(const RestoreProgress&)> on_progress;  // may be empty
};

// What an engine holds of a volume: root and log up to there.
struct Position {
  uint64_t root = 0;
  uint64_t next_log = 1;
  uint64_t epoch = 0;  // in force (log_end.h); 0: not known. (A root's may be above it: its writer has yet to fence.)
  int64_t root_seconds = 0;
  bool at_break = false;  // the log goes on only from a later root
  // What the engine holds was read a while ago: the store may have forgotten since what that was.
  bool is_old = false;
};

struct Restored {
  std::unique_ptr<kv::Engine> engine;
  Position position;
  // Not ok: why what the log has at position.next_log and behind it could not be applied. The state is a prefix of what
  // was committed, but lacks what had been acknowledged after it; what is put into the log next counts only with a root
  // of this state (StartFrom::kDatabase).
  Status given_up;
};

// The newest root's tables, verified, then the log to its end. Everything comes from the store, so nothing is trusted:
// kCorrupt names the object. kNotFound: the bucket holds no root. kUnavailable also when a live writer's collector was
// faster: try again, with a new target. The state is a prefix of what was committed, and holds everything for which
// ship_through() had returned before this began (after take_over(): everything for which it ever will have).
io::Task<Result<Restored>> restore_metadata(Bucket bucket, std::unique_ptr<kv::RestoreTarget> target,
                                            RestoreOptions options, io::CancelToken* token = nullptr);

// Applies what the log has from `position` on, but for strays (log_end.h), and moves it. kUnavailable also when the log
// there has been removed: there is a newer root then. kStale: a writer has taken over from before `position`, or may
// have, so that what was applied last is not the volume's; start over from the newest root. Returns how many objects
// were applied.
// `on_batches`, if it is not empty, sees each object's payload (log_payload.h) after it was applied.
io::Task<Result<uint64_t>> replay_log(Bucket bucket, kv::Engine& engine, Position& position, size_t in_flight,
                                      std::function<void(std::string_view payload)> on_batches, io::CancelToken* token);

}  // namespace firn::tier
