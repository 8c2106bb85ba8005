// Whether the store still has what it said to have taken into the log, for logs whose objects somebody waits for: they
// are told at the PUT, and it is asked for soon after.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "io/sync.h"
#include "tier/metadata/log_writer.h"

namespace firn::tier {

// What was put is held until the store was seen to have it; where it has not, the same is put again. On one reactor.
class LogRecheck {
 public:
  struct Limits {
    int64_t after_ns = 1'000'000'000;  // an object is due once it has been held for so long,
    int64_t pause_ns = 10'000'000;     // and so long after the one before it: requests of those who wait come first;
    size_t due_objects = 2000;         // or at once when so many are held,
    uint64_t due_bytes = 32 << 20;     // or so much;
    uint64_t times = 2;                // and no more are to come once it is so many times that
    size_t at_once = 4;                // asked for by one ask_some(), so that the pauses are so many times longer
    size_t in_flight = 2;              // requests
  };
  LogRecheck(const Bucket& bucket, LogWriter& log, Limits limits) : bucket_(bucket), log_(log), limits_(limits) {}

  // `object` was put, and the store has acknowledged it. `now_ns`: monotonic.
  void hold(LogWriter::Prepared object, int64_t now_ns);
  // Nobody needs what is before `first` any more: a root does without it.
  void let_go_before(uint64_t first);
  // Until ask_some() is due; io::kForeverNs: nothing is held.
  int64_t due_in_ns(int64_t now_ns) const;
  // Before more is put, ask_all() is to be done.
  bool is_full() const { return holds(limits_.times); }

  // Asks for the oldest objects that are held, and lets go what is there. A failure leaves the others held.
  // kNotPermitted: this writer is fenced. kStale: one is damaged, or somebody's stray (log_end.h) has its place, so
  // that the log lacks it for good: only a new root makes that good. It is let go.
  io::Task<Result<void>> ask_some(io::CancelToken* token) { return ask(limits_.at_once, token); }
  io::Task<Result<void>> ask_all(io::CancelToken* token) { return ask(SIZE_MAX, token); }

 private:
  bool holds(uint64_t times) const {
    return held_.size() >= limits_.due_objects * times || bytes_ >= limits_.due_bytes * times;
  }
  struct Held {
    LogWriter::Prepared object;
    int64_t since_ns = 0;
  };
  io::Task<Result<void>> ask(size_t most, io::CancelToken* token);
  io::Task<Result<void>> ask_for(LogWriter::Prepared object, io::CancelToken* token);
  void let_go(uint64_t number);

  const Bucket bucket_;
  LogWriter& log_;
  const Limits limits_;
  io::Mutex asking_;               // one ask() at a time
  int64_t next_ns_ = 0;            // before that the next one is not due
  std::map<uint64_t, Held> held_;  // by place
  uint64_t bytes_ = 0;             // of them
  Status lacks_;                   // not ok: what the log lacks for good, and nobody was told yet
};

}  // namespace firn::tier
