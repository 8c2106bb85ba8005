// io::Buffer: memory for bytes on their way from one place to another. Large ones are not given back to the kernel each
// time, whose page faults would cost as much as the bytes' copies: the next transfer takes them.
#pragma once

#include <cstddef>
#include <memory>

namespace firn::io {

namespace internal {
struct GiveBack {
  size_t kept_as = 0;  // bytes, of one of the sizes that are kept; 0: none of them
  bool at_page = false;
  void operator()(std::byte* bytes) const noexcept;
};
}  // namespace internal

using Buffer = std::unique_ptr<std::byte[], internal::GiveBack>;

inline constexpr size_t kPageBytes = 4096;
// Larger ones begin at a page, as direct I/O wants it.
inline constexpr size_t kSmallBufferBytes = 32 << 10;

// Room for so many bytes, not zeroed. Thread-safe, as is the Buffer's end.
Buffer make_buffer(size_t bytes);

// Under a sanitizer each comes from the allocator, so that a use after its end shows.
#if defined(__has_feature) && (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
inline constexpr bool kKeepsBuffers = false;
#else
inline constexpr bool kKeepsBuffers = true;
#endif
// At most so much waits for the next one (metric firn_buffers_kept_bytes).
inline constexpr size_t kMaxKeptBufferBytes = 32 << 20;

}  // namespace firn::io
