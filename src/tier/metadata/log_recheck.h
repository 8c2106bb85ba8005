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
    int64_t after_ns = 1'000'000'000;  // all are due once one has been held for so long,
    size_t due_objects = 16;           // or so many are held,
    uint64_t due_bytes = 8 << 20;      // or so much,
    uint64_t times = 4;                // and no more are to come once it is so many times that
    size_t in_flight = 4;              // requests
  };
  LogRecheck(const Bucket& bucket, LogWriter& log, Limits limits) : bucket_(bucket), log_(log), limits_(limits) {}

  // `object` was put, and the store has acknowledged it. `now_ns`: monotonic.
  void hold(LogWriter::Prepared object, int64_t now_ns);
  // Nobody needs what is before `first` any more: a root does without it.
  void let_go_before(uint64_t first);
  // Until ask() is due; io::kForeverNs: nothing is held.
  int64_t due_in_ns(int64_t now_ns) const;
  // Before more is put, ask() is to be done.
  bool is_full() const { return holds(limits_.times); }

  // Asks for each object that is held now, and lets go what is there. A failure leaves the others held. kNotPermitted:
  // this writer is fenced. kStale: one is damaged, or somebody's stray (log_end.h) has its place, so that the log lacks
  // it for good: only a new root makes that good. It is let go.
  io::Task<Result<void>> ask(io::CancelToken* token);

 private:
  bool holds(uint64_t times) const {
    return held_.size() >= limits_.due_objects * times || bytes_ >= limits_.due_bytes * times;
  }
  struct Held {
    LogWriter::Prepared object;
    int64_t since_ns = 0;
  };
  io::Task<Result<void>> ask_for(LogWriter::Prepared object, io::CancelToken* token);
  void let_go(uint64_t number);

  const Bucket bucket_;
  LogWriter& log_;
  const Limits limits_;
  io::Mutex asking_;               // one ask() at a time
  std::map<uint64_t, Held> held_;  // by place
  uint64_t bytes_ = 0;             // of them
};

}  // namespace firn::tier
