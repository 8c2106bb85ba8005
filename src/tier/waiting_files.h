// WaitingFiles: files that lack nothing but tiers that are away, so that they need not be read again to find that out.
#pragma once

#include <unordered_map>

#include "base/ids.h"

namespace firn::tier {

// Not thread-safe. A hint, in memory: a file that is not known is read again.
class WaitingFiles {
 public:
  static constexpr size_t kMaxFiles = 1 << 18;  // others are read again

  struct Waiting {
    uint64_t generation = 0;
    uint32_t tiers = 0;
    uint64_t late_mark = 0;  // LateTiers::mark() then: what those of them that are late are to get of it is before it
  };
  // All of that generation is in every tier that it is to be in, but for `tiers`.
  void note(InodeId inode, Waiting file) {
    if (files_.size() < kMaxFiles || files_.contains(inode)) files_[inode] = file;
  }
  void forget(InodeId inode) { files_.erase(inode); }
  // Null: that generation of it does not wait. Valid until the next call.
  const Waiting* find(InodeId inode, uint64_t generation) const {
    const auto found = files_.find(inode);
    return found != files_.end() && found->second.generation == generation ? &found->second : nullptr;
  }

 private:
  std::unordered_map<InodeId, Waiting> files_;
};

}  // namespace firn::tier
