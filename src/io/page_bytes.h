// PageBytes: memory that begins at a page, as direct I/O wants it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "io/buffer.h"

namespace firn::io {

// Owned; moved, not copied. Of fixed size.
class PageBytes {
 public:
  PageBytes() = default;
  // Not initialised.
  explicit PageBytes(size_t bytes) : memory_(make_buffer(bytes)), bytes_(bytes) {}
  explicit PageBytes(std::string_view content) : PageBytes(content.size()) { content.copy(data(), content.size()); }
  PageBytes(PageBytes&& other) noexcept : memory_(std::move(other.memory_)), bytes_(std::exchange(other.bytes_, 0)) {}
  PageBytes& operator=(PageBytes&& other) noexcept {
    memory_ = std::move(other.memory_);
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }
  ~PageBytes() = default;

  char* data() { return reinterpret_cast<char*>(memory_.get()); }
  const char* data() const { return reinterpret_cast<const char*>(memory_.get()); }
  size_t size() const { return bytes_; }
  std::string_view view() const { return {data(), bytes_}; }
  std::span<const std::byte> span() const { return {memory_.get(), bytes_}; }

  friend bool operator==(const PageBytes& bytes, std::string_view other) { return bytes.view() == other; }

 private:
  Buffer memory_;
  size_t bytes_ = 0;
};

}  // namespace firn::io
