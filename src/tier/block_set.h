// A set of a file's blocks: a bit for each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace firn::tier {

// Not thread-safe. Ranges are [first, end), within the file.
class BlockSet {
 public:
  BlockSet() = default;
  explicit BlockSet(uint64_t file_blocks) : words_((file_blocks + kBits - 1) / kBits), file_blocks_(file_blocks) {}

  uint64_t file_blocks() const { return file_blocks_; }
  uint64_t count() const { return count_; }
  bool all() const { return count_ == file_blocks_; }
  bool has(uint64_t block) const { return (words_[block / kBits] >> block % kBits & 1) != 0; }
  bool has_all(uint64_t first, uint64_t end) const { return end_of_run(first, end) == end; }
  // Where the blocks that are in the set end, beginning with `first`, at most at `end`.
  uint64_t end_of_run(uint64_t first, uint64_t end) const {
    while (first < end) {
      const auto run = static_cast<uint64_t>(std::countr_one(words_[first / kBits] >> first % kBits));
      first += run;
      if (run == 0 || first % kBits != 0) break;
    }
    return first < end ? first : end;
  }
  void add(uint64_t first, uint64_t end) {
    CHECK(end <= file_blocks_);
    while (first < end) {
      const uint64_t bits = std::min(kBits - first % kBits, end - first);
      const uint64_t mask = (bits == kBits ? ~uint64_t{0} : (uint64_t{1} << bits) - 1) << first % kBits;
      uint64_t& word = words_[first / kBits];
      count_ += static_cast<uint64_t>(std::popcount(mask & ~word));
      word |= mask;
      first += bits;
    }
  }
  size_t memory_bytes() const { return words_.capacity() * sizeof(uint64_t) + sizeof(*this); }

 private:
  static constexpr uint64_t kBits = 64;

  std::vector<uint64_t> words_;
  uint64_t file_blocks_ = 0;
  uint64_t count_ = 0;
};

}  // namespace firn::tier
