// Which blocks of evicted files are back on the local disk, remembered while the files are not open.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/ids.h"
#include "tier/block_set.h"

namespace firn::tier {

// In memory only, and bounded: what is forgotten is fetched again. Who changes a backing forgets the file first.
// Thread-safe.
class ReturnedBlocks {
 public:
  static constexpr size_t kMaxBytes = 8 << 20;

  // Replaces what was known of the file. What was put longest ago goes when there is too much.
  void put(InodeId inode, BlockSet blocks);
  // What is known, which is then known no more.
  std::optional<BlockSet> take(InodeId inode);
  size_t memory_bytes() const;

 private:
  struct Entry {
    InodeId inode;
    BlockSet blocks;
  };
  using Entries = std::list<Entry>;
  static size_t bytes_of(const Entry& entry);
  // Under entries_mutex_.
  void erase(Entries::iterator entry);

  mutable std::mutex entries_mutex_;
  Entries entries_;  // the latest last
  std::unordered_map<InodeId, Entries::iterator> by_inode_;
  size_t bytes_ = 0;
};

}  // namespace firn::tier
