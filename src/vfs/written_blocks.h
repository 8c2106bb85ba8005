// WrittenBlocks: which blocks of a file have been written since somebody last looked.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "meta/tiering.h"

namespace firn::vfs {

// Not thread-safe. Starts as "everything": nobody knows yet.
class WrittenBlocks {
 public:
  // More than these are "everything".
  static constexpr size_t kMost = 64;

  void note(uint64_t offset, uint64_t bytes) {
    if (everything_ || bytes == 0) return;
    constexpr uint64_t kBlock = meta::kJournalBlockBytes;
    const uint64_t first = offset / kBlock, last = (offset + bytes - 1) / kBlock;
    if (last - first >= kMost) return note_everything();
    for (uint64_t block = first; block <= last; ++block) blocks_.insert(block);
    if (blocks_.size() > kMost) note_everything();
  }
  // Also of a file that was cut, or got holes.
  void note_everything() {
    everything_ = true;
    blocks_.clear();
  }
  // Nothing, from now on; what it was.
  WrittenBlocks take() { return std::exchange(*this, nothing()); }

  bool empty() const { return !everything_ && blocks_.empty(); }
  bool everything() const { return everything_; }
  const std::set<uint64_t>& blocks() const { return blocks_; }  // unless everything

 private:
  static WrittenBlocks nothing() {
    WrittenBlocks none;
    none.everything_ = false;
    return none;
  }
  bool everything_ = true;
  std::set<uint64_t> blocks_;
};

}  // namespace firn::vfs
