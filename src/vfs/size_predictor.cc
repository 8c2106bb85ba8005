#include "vfs/size_predictor.h"

#include <xxhash.h>

namespace firn::vfs {

FileClass SizePredictor::class_of(InodeId parent, std::string_view name) {
  const size_t dot = name.rfind('.');
  const std::string_view extension = dot == std::string_view::npos || dot == 0 ? "" : name.substr(dot);
  const uint64_t hash = XXH3_64bits(extension.data(), extension.size());
  const uint64_t mixed =
      XXH3_64bits_withSeed(extension.data(), extension.size(), parent.value * 0x9e3779b97f4a7c15 + 1);
  return {.here = static_cast<uint16_t>(mixed % kSlots), .anywhere = static_cast<uint16_t>(hash % kSlots)};
}

bool SizePredictor::expects_small(FileClass kind) const {
  const uint8_t here = here_[kind.here].load(std::memory_order_relaxed);
  if (here != kUnknown) return here == kSmall;
  return anywhere_[kind.anywhere].load(std::memory_order_relaxed) == kSmall;
}

void SizePredictor::learn(std::atomic<uint8_t>& state, bool small) {
  const uint8_t before = state.load(std::memory_order_relaxed);
  uint8_t after = kLarge;
  if (small) after = before == kSmallOnce || before == kSmall ? kSmall : kSmallOnce;
  if (after != before) state.store(after, std::memory_order_relaxed);
}

void SizePredictor::learn(FileClass kind, bool small) {
  learn(here_[kind.here], small);
  learn(anywhere_[kind.anywhere], small);
}

}  // namespace firn::vfs
