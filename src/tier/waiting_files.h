// WaitingFiles: files that lack nothing but tiers that are away, so that they need not be read again to find that out.
#pragma once

#include <unordered_map>

#include "base/ids.h"

namespace firn::tier {

// Not thread-safe. A hint, in memory: a file that is not known is read again.
class WaitingFiles {
 public:
  static constexpr size_t kMaxFiles = 1 << 18;  // others are read again

  // All of that generation is in every tier that it is to be in, but for `tiers`.
  void note(InodeId inode, uint64_t generation, uint32_t tiers) {
    if (files_.size() < kMaxFiles || files_.contains(inode)) files_[inode] = {generation, tiers};
  }
  void forget(InodeId inode) { files_.erase(inode); }
  // Whether nothing can be done for it while these tiers do not answer.
  bool waits(InodeId inode, uint64_t generation, uint32_t out_of_reach) const {
    const auto found = files_.find(inode);
    return found != files_.end() && found->second.generation == generation &&
           (found->second.tiers & ~out_of_reach) == 0;
  }

 private:
  struct Waiting {
    uint64_t generation = 0;
    uint32_t tiers = 0;
  };
  std::unordered_map<InodeId, Waiting> files_;
};

}  // namespace firn::tier
