#include "nfs/unstable_writes.h"

#include <algorithm>
#include <utility>

namespace firn::nfs {

std::optional<UnstableWrites::Range> UnstableWrites::note(uint64_t offset, uint64_t bytes) {
  constexpr uint64_t kSparse = 2;  // times as much room as bytes
  std::lock_guard lock(mutex_);
  first_ = std::min(first_, offset);
  end_ = std::max(end_, offset + bytes);
  bytes_ += bytes;
  if (asking_ || bytes_ < kWritebackBytes) return std::nullopt;
  const Range range{first_, end_ - first_};
  const uint64_t written = std::exchange(bytes_, 0);
  first_ = UINT64_MAX;
  end_ = 0;
  if (range.bytes > kSparse * written) return std::nullopt;
  asking_ = true;
  return range;
}

void UnstableWrites::asked() {
  std::lock_guard lock(mutex_);
  asking_ = false;
}

}  // namespace firn::nfs
