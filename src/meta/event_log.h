// meta::EventLog: the last changes of the namespace, in order, in the store beside what they changed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "io/cancel.h"
#include "io/sync.h"
#include "io/task.h"
#include "kv/kv.h"
#include "meta/event.h"

namespace firn::meta {

struct LoggedEvent {
  uint64_t sequence = 0;
  Event event;
};

// Invariants:
//  1. An event is in the transaction that makes its change, so one is there exactly if the other is.
//  2. Of two changes of which the second began when the first had been answered, or that touch the same inode or name,
//     the earlier has the smaller number: numbers are given under the inodes' locks. Numbers may be left out.
//  3. durable() is the number of an event that no crash takes back, with no smaller one still to come: a reader that
//     stops there misses nothing, and no other event ever gets a number that was told.
//  4. Events below oldest() are gone, or about to be.
// Thread-safe; calls that return a task need a current reactor.
class EventLog {
 public:
  struct Options {
    uint64_t hot_id = 0;        // as meta::Options has it: another folder of backings is another history
    uint64_t keep = 1'000'000;  // events, at least 1; an eighth more before they are discarded
  };

  // Goes on with the log that the engine holds, or begins one with another id. Before anything is changed.
  static io::Task<Result<std::unique_ptr<EventLog>>> open(kv::Engine& engine, Options options, Random& random);
  // For a volume that is to be changed without a log: forgets it, so that no reader believes to have seen all.
  static io::Task<Result<void>> forget(kv::Engine& engine);

  EventLog(kv::Engine& engine, Options options, uint64_t id, uint64_t first, uint64_t last);

  // Of this log; no other has it.
  uint64_t id() const { return id_; }

  // ---- for Mutation ----
  // The next number, under the locks of what changes; ended() must follow, once its commit has succeeded or failed.
  uint64_t next();
  void ended(uint64_t sequence, bool stored);

  // ---- for readers ----
  uint64_t oldest() const;
  uint64_t durable() const;
  // Finds out whether more has become durable. To be called now and then; cheap.
  void look();
  // Syncs: everything that was changed before the call is durable() then.
  io::Task<Result<void>> sync();
  // Up to `limit` events above `after` and not above `through`. kStale: some of them were discarded.
  io::Task<Result<std::vector<LoggedEvent>>> read(kv::Transaction& transaction, uint64_t after, uint64_t through,
                                                  size_t limit);
  // The latest first, not only the durable ones, until `look` yields false. About a microsecond for each.
  io::Task<Result<void>> look_back(std::function<bool(LoggedEvent&)> look);
  // Service::find_former_name().
  io::Task<Result<std::optional<std::string>>> find_former_name(InodeId directory,
                                                                std::function<bool(std::string_view)> is_it);
  kv::Engine& engine() { return engine_; }
  // No event up to this one is still to be committed; later ones may be there.
  uint64_t settled() const;

  // Discards what is more than enough, until `token` is cancelled.
  io::Task<void> keep_short(io::CancelToken* token);
  // Once; true: some were discarded.
  io::Task<Result<bool>> trim();

 private:
  struct Mark {
    uint64_t sequence = 0;
    kv::Version version = 0;
  };
  uint64_t settled_locked() const;

  kv::Engine& engine_;
  const Options options_;
  const uint64_t id_;
  io::Mutex finding_;                 // one find_former_name() at a time
  mutable std::mutex numbers_mutex_;  // guards what follows
  uint64_t given_;
  uint64_t stored_;                  // the greatest that is in the store
  std::vector<uint64_t> in_flight_;  // given, neither stored nor given up
  uint64_t oldest_;
  uint64_t durable_;
  std::optional<Mark> waiting_;  // durable once the version is
};

}  // namespace firn::meta
