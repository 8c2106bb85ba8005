// AccessCounts: how often files were opened lately: a count that halves with every day that passes.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "base/ids.h"
#include "base/time.h"

namespace firn::vfs {

// A decayed count in one number that does not change while nobody opens the file: the second (since 1970) at which the
// count will have come down to 1. 0: it was never opened.
using AccessLevel = int64_t;

inline constexpr int64_t kAccessHalfLifeS = 24 * 60 * 60;

double count_of(AccessLevel level, Timestamp now);
// The same after one more access.
AccessLevel raised(AccessLevel level, Timestamp now);

// Thread-safe. In memory: a restart forgets what no eviction has recorded (meta::Content::access_level).
class AccessCounts {
 public:
  // Of so many files; when there are more, the half that counts least is forgotten.
  static constexpr size_t kMaxFiles = 1 << 17;

  // `recorded` is what the file's record says.
  void note(InodeId inode, AccessLevel recorded, Timestamp now);
  AccessLevel level_of(InodeId inode, AccessLevel recorded) const;

 private:
  void forget_least();

  mutable std::mutex mutex_;  // guards the map; a few instructions
  std::unordered_map<InodeId, AccessLevel> levels_;
};

}  // namespace firn::vfs
