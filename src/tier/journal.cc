#include "tier/journal.h"

#include <algorithm>
#include <cstring>

namespace firn::tier {

namespace {
constexpr uint64_t kBlock = meta::kJournalBlockBytes;
}

Journal::Journal(std::vector<meta::JournalBlock> blocks) {
  for (meta::JournalBlock& block : blocks) blocks_.emplace(block.index, std::move(block.bytes));
}

bool Journal::covers(uint64_t offset, uint64_t bytes) const {
  const uint64_t end = offset + bytes;
  while (offset < end) {
    const auto found = blocks_.find(offset / kBlock);
    if (found == blocks_.end()) return false;
    const uint64_t has_to = found->first * kBlock + found->second.size();
    if (has_to <= offset) return false;
    offset = has_to;
  }
  return true;
}

bool Journal::touches(uint64_t offset, uint64_t bytes) const {
  const auto found = blocks_.lower_bound(offset / kBlock);
  return found != blocks_.end() && found->first * kBlock < offset + bytes;
}

void Journal::lay_over(uint64_t offset, std::span<char> bytes) const {
  const uint64_t end = offset + bytes.size();
  for (auto block = blocks_.lower_bound(offset / kBlock); block != blocks_.end(); ++block) {
    const uint64_t from = block->first * kBlock;
    if (from >= end) return;
    const uint64_t begin = std::max(from, offset), stop = std::min(from + block->second.size(), end);
    if (begin < stop) std::memcpy(bytes.data() + (begin - offset), block->second.data() + (begin - from), stop - begin);
  }
}

Result<uint64_t> Journal::base_bytes(uint64_t offset, uint64_t wanted, uint64_t recorded) const {
  if (recorded == wanted) return wanted;
  if (recorded < wanted && covers(offset + recorded, wanted - recorded)) return recorded;
  return fail(Code::kCorrupt, "it has another length than the file");
}

}  // namespace firn::tier
