#include "io/buffer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <vector>

#include "base/metrics.h"

namespace firn::io {
namespace {

// The second largest takes an NFS call of 1 MiB with its head, the largest a chunk.
constexpr std::array<size_t, 6> kSizes = {64 << 10, 128 << 10, 256 << 10, 512 << 10, (1 << 20) + (16 << 10), 4 << 20};
constexpr std::align_val_t kAtPage{kPageBytes};

// 0: such a one is not kept.
size_t kept_size_of(size_t bytes) {
  if (!kKeepsBuffers || bytes < kSmallBufferBytes) return 0;
  const auto* const size = std::ranges::lower_bound(kSizes, bytes);
  return size == kSizes.end() ? 0 : *size;
}

class Keeper {
 public:
  // Null: there is none.
  std::byte* take(size_t size) {
    std::lock_guard lock(mutex_);
    auto& list = list_of(size);
    if (list.empty()) return nullptr;
    std::byte* const bytes = list.back();  // the newest: it is the likeliest to be in the processor's cache
    list.pop_back();
    kept_bytes_ -= size;
    told_.add(-static_cast<int64_t>(size));
    return bytes;
  }
  // False: there is enough.
  bool keep(std::byte* bytes, size_t size) {
    std::lock_guard lock(mutex_);
    if (kept_bytes_ + size > kMaxKeptBufferBytes) return false;
    list_of(size).push_back(bytes);
    kept_bytes_ += size;
    told_.add(static_cast<int64_t>(size));
    return true;
  }

 private:
  std::vector<std::byte*>& list_of(size_t size) {
    return lists_[static_cast<size_t>(std::ranges::lower_bound(kSizes, size) - kSizes.begin())];
  }

  std::mutex mutex_;  // guards what follows; a few instructions
  std::array<std::vector<std::byte*>, kSizes.size()> lists_;
  size_t kept_bytes_ = 0;
  metrics::Gauge& told_ = metrics::process_registry().gauge("firn_buffers_kept_bytes",
                                                            "Memory that waits for the next transfer of many bytes.");
};

// Never destroyed: buffers may end after everything else.
Keeper& keeper() {
  static auto* const one = new Keeper;
  return *one;
}

}  // namespace

void internal::GiveBack::operator()(std::byte* bytes) const noexcept {
  if (kept_as != 0 && keeper().keep(bytes, kept_as)) return;
  if (at_page)
    ::operator delete[](bytes, kAtPage);
  else
    delete[] bytes;
}

Buffer make_buffer(size_t bytes) {
  const size_t size = kept_size_of(bytes);
  const bool at_page = bytes >= kSmallBufferBytes;
  std::byte* memory = size > 0 ? keeper().take(size) : nullptr;
  if (memory == nullptr) memory = at_page ? new (kAtPage) std::byte[std::max(size, bytes)] : new std::byte[bytes];
  return Buffer(memory, {.kept_as = size, .at_page = at_page});
}

}  // namespace firn::io
