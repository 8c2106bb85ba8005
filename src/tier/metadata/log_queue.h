// Commits on their way to the log: gathered under the engine's lock, taken by the one who ships them.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "io/alarm.h"
#include "kv/shipping.h"

namespace firn::tier {

// Thread-safe. Committing copies a batch into a buffer, under a lock held for that long.
class LogQueue final : public kv::CommitSink {
 public:
  struct Limits {
    uint64_t load_bytes = 16 << 20;  // a load grows up to it, or is one commit
    uint64_t ring_bytes = 4 << 20;   // what has gathered when `alarm` rings
    uint64_t max_bytes = 0;          // beyond it everything is dropped; 0: never
  };
  struct Load {
    std::string payload;  // of a log object
    kv::Version through = 0;
    uint64_t commits = 0;
  };

  // `alarm` rings also at the first commit of an empty queue. It must outlive the queue.
  LogQueue(Limits limits, io::Alarm& alarm) : limits_(limits), alarm_(alarm) {}

  void committed(kv::Version version, std::string_view batch) override;

  // The oldest commits; an empty load when there are none.
  Load take();
  // From now on commits are dropped, until restart().
  void stop();
  // True: commits were dropped since the last restart(), or stop() was called.
  bool has_dropped() const;
  // Forgets what there is and gathers what comes. Returns the newest commit so far.
  kv::Version restart();
  // The newest commit so far; `version` when that is greater.
  kv::Version last(kv::Version version = 0) const;
  uint64_t bytes() const;
  uint64_t commits() const;

 private:
  const Limits limits_;
  io::Alarm& alarm_;
  mutable std::mutex loads_mutex_;  // guards the rest
  std::deque<Load> loads_;
  uint64_t bytes_ = 0;
  uint64_t commits_ = 0;
  kv::Version last_ = 0;
  bool dropping_ = false;
};

}  // namespace firn::tier
