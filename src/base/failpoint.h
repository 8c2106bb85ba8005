// Failpoints: named steps at which a test lets the process die, as kill -9 or a power cut would.
// For tests only. FIRN_FAILPOINT=NAME kills the process the first time it comes to that step, NAME:N the Nth time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace firn {

namespace failpoints {

// All there are. Each stands in the code exactly once; tests/tiers/test_failpoints.py dies at every one of them, but at
// those of firn put tests/http/test_parts.py does, and at those of making room in a tier tests/tiers/test_limits.py.
inline constexpr std::array<std::string_view, 59> kNames = {
    // Chunks of files go to every tier, and are then recorded.
    "upload.before_put",
    "upload.between_tiers",
    "upload.after_put",
    "upload.before_chunks",
    "upload.after_chunks",
    "upload.before_complete",
    "upload.after_complete",
    "upload.after_copy",
    // The local copy of a file goes.
    "evict.after_mark",
    "evict.before_empty",
    "evict.after_empty",
    // Its bytes come back, for a reader, a writer, and one who truncates it.
    "hydrate.after_backing",
    "hydrate.after_fetch",
    "hydrate.after_place",
    "hydrate.before_record",
    "hydrate.after_record",
    "bring_back.after_resident",
    "bring_back.after_live",
    "forget.after_empty",
    "forget.after_record",
    // Blobs that nothing refers to are removed.
    "collect.after_retire",
    "collect.before_remove",
    "collect.between_tiers",
    "collect.after_remove",
    "collect.after_forget",
    // A tier makes room.
    "tier_evict.before_remove",
    "tier_evict.after_remove",
    // What is damaged in a tier is put there again, or, where no tier has it, sent again from the local disk.
    "repair.before_confirm",
    "rescue.after_requeue",
    // What is left of mostly dead ones moves.
    "repack.before_put",
    "repack.between_tiers",
    "repack.after_put",
    "repack.after_confirm",
    "repack.after_move",
    // A commit of the metadata goes to the log in the bucket.
    "log.before_put",
    "log.after_put",
    // A root of the metadata, and what it makes unnecessary.
    "root.before_tables",
    "root.after_table",
    "root.after_tables",
    "root.before_put",
    "root.after_put",
    "root.before_collect",
    "root.after_logs",
    "root.after_dropped",
    "root.after_collect",
    // Becoming the bucket's one writer.
    "takeover.before_root",
    "takeover.after_root",
    "takeover.after_fence",
    // firn restore.
    "restore.after_marker",
    "restore.after_takeover",
    "restore.after_table",
    "restore.after_tables",
    "restore.after_replay",
    "restore.after_metadata",
    "restore.before_end",
    "restore.after_end",
    // firn put: a large file that has been sent in parts gets its name.
    "put.before_mark",
    "put.before_move",
    "put.after_move",
};

// Arms what FIRN_FAILPOINT names. Once, before there are other threads. kInvalid: there is no such point.
Status arm_from_environment();

// A name that is on the list; another does not compile.
class Point {
 public:
  consteval Point(const char* name) : index_(index_of(name)) {}
  size_t index() const { return index_; }

 private:
  static consteval size_t index_of(std::string_view name) {
    const auto found = std::ranges::find(kNames, name);
    if (found == kNames.end()) throw "not on the list of failpoints";
    return static_cast<size_t>(found - kNames.begin());
  }

  size_t index_;
};

namespace internal {
inline std::atomic<bool> armed = false;
void reach(Point point);
}  // namespace internal

}  // namespace failpoints

// Thread-safe. Not where every read or write of a file passes.
inline void failpoint(failpoints::Point point) {
  if (failpoints::internal::armed.load(std::memory_order_relaxed)) [[unlikely]]
    failpoints::internal::reach(point);
}

}  // namespace firn
