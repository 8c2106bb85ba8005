// PageBytes: memory that begins at a page, as direct I/O wants it.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace firn {

// Owned; moved, not copied. Of fixed size. Large memory is kept for the next that wants as much, at most kKeptBytes in
// all: the kernel takes longer to give fresh pages than anybody here to fill them.
class PageBytes {
 public:
  static constexpr size_t kPage = 4096;
  static constexpr size_t kKeptBytes = 64 << 20;

  PageBytes() = default;
  // Not initialised.
  explicit PageBytes(size_t bytes);
  explicit PageBytes(std::string_view content) : PageBytes(content.size()) { content.copy(data(), content.size()); }
  PageBytes(PageBytes&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  PageBytes& operator=(PageBytes&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~PageBytes();

  char* data() { return memory_; }
  const char* data() const { return memory_; }
  size_t size() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  std::string_view view() const { return {memory_, bytes_}; }
  std::span<const std::byte> span() const { return std::as_bytes(std::span(memory_, bytes_)); }

  friend bool operator==(const PageBytes& bytes, std::string_view other) { return bytes.view() == other; }

 private:
  char* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace firn
