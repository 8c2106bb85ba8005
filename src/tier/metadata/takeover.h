// Becoming the one writer of a volume's metadata in a bucket.
//
// Epochs ascend with every opening. The new writer first puts the next root, the former one's content with its own
// epoch, so that the former can publish no more; then a fence into the next place of the log. These invariants follow:
//
//  1. A writer puts a log object only right after one whose epoch is not above its own, and only where there is none.
//     So epochs ascend along the log, and what a writer put before the fence is before it for everybody.
//     (Where the store has forgotten the log's last objects, the fence comes before the former writer's next place, and
//     what it puts there until it learns of its successor is a stray: log_end.h.)
//  2. A fenced writer's next place in the log is, for ever, the fence of whoever came next: fences outlive the log
//     around them (RetentionOptions::fence_ns). However long it slept, its next PUT fails. No clock is part of that.
//     (Only an opener, which has no place yet, could find names free again that had been taken and removed. It looks
//     once more at the end, and gives up when it took longer than names are kept.)
//  3. Roots descend from one another: every root was put by somebody who had read the one before it.
#pragma once

#include <string>

#include "tier/metadata/bucket.h"

namespace firn::tier {

struct TakeOverOptions {
  std::string volume;  // its id; roots of another one are kCorrupt
  // The local database that the roots will be taken from: 16 random bytes, made with it. (A database that is made anew
  // from the bucket at every opening has new ones.)
  Bytes16 database{};
  // Of a database whose process, if it was the former writer, has surely ended. All zero: there is none.
  Bytes16 own_database{};
  // Go on although the newest root was taken from another local database, whose writer is then fenced. Without it that
  // is kNotPermitted: for volumes whose truth is the local database, where two of them mean that one was restored.
  bool from_others = true;
  // The caller's database holds everything that the volume does, and it puts a root of that at once; nobody follows the
  // volume. Then a newest root that is damaged is passed over, where the one before it is of the same writer: that says
  // who this was, and what there is to remove. (Not in volumes whose truth is the bucket: what the log has after the
  // earlier root need not make the same state, for there may be a break, and which readers' pins count is not known.)
  bool passes_damaged_root = false;
  // For how long after its last request this writer may answer from memory: its successors wait for that. 0: they need
  // not, for it does without a lease.
  int64_t lease_ns = 0;
  uint64_t root_hint = 0;  // a root's number that is known to have existed; saves requests
  // Longer than that, by either clock, it must not take (kTimedOut). To be shorter than the grace period of any writer.
  int64_t within_ns = 600'000'000'000;
};

// What a writer holds.
struct Writership {
  uint64_t epoch = 0;
  Bytes16 writer{};
  FoundRoot root;             // this writer's first
  uint64_t fence = 0;         // the place of its fence in the log, which begins at root.root.first_log
  bool clean = false;         // the writer before it released the volume
  Status damaged_root;        // not ok: the newest root was, and has been passed over
  int64_t lease_from_ns = 0;  // when the fence was sent, by Clock::elapsed_ns()
  // Until then a former writer that has not heard of all this may answer from memory, by the same clock. 0: none does.
  int64_t others_until_ns = 0;
};

// kNotPermitted: somebody else took over at the same time, or `from_others` forbids it; others as the store fails.
// After a failure the former writer may be fenced all the same.
io::Task<Result<Writership>> take_over(Bucket bucket, TakeOverOptions options, io::CancelToken* token = nullptr);

// Whether the last writer has ended well: whoever takes over takes it from nobody. Only a hint: somebody may take over
// just now.
io::Task<Result<bool>> is_released(Bucket bucket, io::CancelToken* token = nullptr);

// The status of a writer that met an object of somebody with a higher epoch.
Status taken_over(const Bucket& bucket, const Envelope& by);

// The root after `former` as far as what is to be removed is concerned.
Root succeed(const FoundRoot& former, int64_t now_seconds);

}  // namespace firn::tier
