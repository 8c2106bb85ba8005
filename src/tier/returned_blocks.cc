#include "tier/returned_blocks.h"

namespace firn::tier {

// An entry is in a list and in a hash table.
size_t ReturnedBlocks::bytes_of(const Entry& entry) { return entry.blocks.memory_bytes() + 128; }

void ReturnedBlocks::erase(Entries::iterator entry) {
  bytes_ -= bytes_of(*entry);
  by_inode_.erase(entry->inode);
  entries_.erase(entry);
}

void ReturnedBlocks::put(InodeId inode, BlockSet blocks) {
  std::lock_guard lock(entries_mutex_);
  if (const auto found = by_inode_.find(inode); found != by_inode_.end()) erase(found->second);
  if (blocks.count() == 0) return;
  entries_.push_back({inode, std::move(blocks)});
  by_inode_.emplace(inode, std::prev(entries_.end()));
  bytes_ += bytes_of(entries_.back());
  while (bytes_ > kMaxBytes) erase(entries_.begin());
}

std::optional<BlockSet> ReturnedBlocks::take(InodeId inode) {
  std::lock_guard lock(entries_mutex_);
  const auto found = by_inode_.find(inode);
  if (found == by_inode_.end()) return std::nullopt;
  const auto entry = found->second;
  bytes_ -= bytes_of(*entry);
  by_inode_.erase(found);
  BlockSet blocks = std::move(entry->blocks);
  entries_.erase(entry);
  return blocks;
}

size_t ReturnedBlocks::memory_bytes() const {
  std::lock_guard lock(entries_mutex_);
  return bytes_;
}

}  // namespace firn::tier
