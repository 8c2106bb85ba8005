// A set of a file's blocks: a bit for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace firn::tier {

// Not thread-safe. Ranges are [first, end), within the file.
class BlockSet {
 public:
  BlockSet() = default;
  explicit BlockSet(uint64_t file_blocks) : bits_(file_blocks, false) {}

  uint64_t file_blocks() const { return bits_.size(); }
  uint64_t count() const { return count_; }
  bool all() const { return count_ == bits_.size(); }
  bool has(uint64_t block) const { return bits_[block]; }
  bool has_all(uint64_t first, uint64_t end) const { return end_of_run(first, end) == end; }
  // Where the blocks that are in the set end, beginning with `first`, at most at `end`.
  uint64_t end_of_run(uint64_t first, uint64_t end) const {
    while (first < end && bits_[first]) ++first;
    return first;
  }
  void add(uint64_t first, uint64_t end) {
    CHECK(end <= bits_.size());
    for (; first < end; ++first) {
      if (!bits_[first]) ++count_;
      bits_[first] = true;
    }
  }
  size_t memory_bytes() const { return bits_.capacity() / 8 + sizeof(*this); }

 private:
  std::vector<bool> bits_;
  uint64_t count_ = 0;
};

}  // namespace firn::tier
