// Handover: gives the log of commits to the operating system soon after they were made, so that the death of the
// daemon costs nothing that a caller was told, and not the last second.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "io/blocking_pool.h"
#include "io/sync.h"
#include "io/uring/reactor_pool.h"
#include "kv/kv.h"

namespace firn::cli {

// Each reactor writes out what was committed before it sends its replies. One timer of `interval_ns` keeps account of
// what is not on the disk yet; an idle volume wakes nobody.
class Handover {
 public:
  Handover(kv::Engine& engine, io::BlockingPool& pool, int64_t interval_ns)
      : engine_(engine), pool_(pool), interval_ns_(interval_ns) {}

  // On the main thread, before commits are made.
  void start(io::ReactorPool& reactors);
  // On a reactor. The hooks stay set and do nothing from then on.
  io::Task<void> stop();

  // How long the oldest unsynced commit has waited, to the precision of the interval; 0: all is synced.
  int64_t unsynced_age_ns() const;
  bool failing() const { return failing_; }

 private:
  void look();
  io::Task<void> flush_later(io::Gate::Entry entry);
  void note_synced(int64_t now_ns);

  kv::Engine& engine_;
  io::BlockingPool& pool_;
  const int64_t interval_ns_;
  io::Gate gate_;
  io::CancelToken token_;
  std::atomic<kv::Version> flushed_ = 0;
  std::atomic<bool> scheduled_ = false;
  std::atomic<bool> failing_ = false;
  // Written only by the one coroutine that scheduled_ admits.
  std::atomic<kv::Version> oldest_unsynced_ = 0;
  std::atomic<int64_t> oldest_since_ns_ = 0;
};

}  // namespace firn::cli
