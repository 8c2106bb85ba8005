// Room: what the local disk has left for writers. While nothing can be evicted they are slowed, more and more, and in
// the end refused, so that uploads get the time that they need and nothing that was acknowledged is lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/status.h"
#include "base/time.h"
#include "io/cancel.h"
#include "io/task.h"

namespace firn::vfs {

// Bytes on the local disk, and the marks that matter. limit <= hard.
struct HotUse {
  uint64_t used = 0;
  uint64_t limit = ~uint64_t{0};  // as much as there should be
  uint64_t hard = ~uint64_t{0};   // as much as there may be

  uint64_t above(unsigned percent) const;  // of the limit
  // How far it is from limit to hard: 0 to 1.
  double pressure() const;
};

enum class RoomState : uint8_t {
  kFree,
  kTight,   // above the high watermark, and nothing can be evicted: who opens a file for writing writes through firn
  kSlowed,  // and above the limit: writers wait
  kFull,    // and at the hard limit: they fail
};

struct RoomReport {
  RoomState state = RoomState::kFree;
  HotUse use;             // as of the last look
  int64_t since_ns = 0;   // monotonic: how long it has been so
  uint64_t refused = 0;   // calls of writers
  int64_t slowed_ns = 0;  // what they waited, in all
  // The last file that cannot come back, however much is evicted: its bytes, how many there may be, and when
  // (monotonic). 0: there was none in the last kToldNs.
  uint64_t too_large_bytes = 0, most_bytes = 0;
  int64_t too_large_ns = 0;

  static constexpr int64_t kToldNs = 600'000'000'000;
};

// Invariants:
//  1. A writer is refused only for what a look has found, in kFull, or after kLongestWaitNs without one that helped.
//  2. What is admitted counts at once, until a look has seen it on the disk.
// Thread-safe.
class Room {
 public:
  static constexpr int64_t kLongestDelayNs = 1'000'000'000;  // of one call, just below the hard limit
  static constexpr int64_t kLongestWaitNs = 30'000'000'000;  // for eviction, when it cannot keep up

  // So much is about to be written, or was by somebody who did not ask. False: admit() must have a look.
  bool note(uint64_t bytes) {
    const uint64_t unseen = unseen_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    return unseen < left_.load(std::memory_order_relaxed);
  }
  // Whether what may as well not be written has a place below the limit.
  bool has_left() const { return unseen_.load(std::memory_order_relaxed) < left_.load(std::memory_order_relaxed); }
  // Returns when what was noted may be written. kNoSpace: it may not.
  io::Task<Result<void>> admit(uint64_t bytes, io::CancelToken* token);

  // So much is to come back, which is more than the `most` that there may ever be. True: that is news.
  struct TooLarge {
    uint64_t bytes = 0, most = 0;
    int64_t now_ns = 0;  // monotonic
  };
  bool refuse(const TooLarge& file);

  // A look at the disk begins; what it may not see yet counts on.
  uint64_t begin_look() const { return unseen_.load(std::memory_order_relaxed); }
  struct Seen {
    uint64_t noted = 0;  // what begin_look() said
    HotUse use;
    bool stuck = false;  // above the high watermark, and nothing can be evicted
    int64_t now_ns = 0;  // monotonic
  };
  // True: the state is another than before.
  bool end_look(const Seen& seen);

  RoomState state() const { return state_.load(std::memory_order_relaxed); }
  RoomReport report(int64_t now_ns) const;

 private:
  enum class Answer : uint8_t { kGo, kDelay, kLook, kNo };
  // `delay_ns`: what kDelay asks for.
  Answer ask(uint64_t bytes, int64_t& delay_ns) const;

  std::atomic<uint64_t> unseen_ = 0;           // noted, and not seen by a look
  std::atomic<uint64_t> left_ = ~uint64_t{0};  // below the limit, as of the last look
  std::atomic<RoomState> state_ = RoomState::kFree;
  mutable std::mutex mutex_;  // guards the report
  RoomReport told_;
};

}  // namespace firn::vfs
