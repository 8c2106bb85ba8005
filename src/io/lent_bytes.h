// LentBytes: parts of an answer that lie in memory which others read, too, and need not be copied to be sent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace firn::io {

// Beside a buffer: each part stands for what would be at its place there; the rest is in the buffer. Not thread-safe.
class LentBytes {
 public:
  // Less is copied sooner than it is lent.
  static constexpr size_t kLeastBytes = 16 << 10;

  struct Part {
    size_t offset = 0;  // in the buffer
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;  // keeps them, unchanged
  };

  // In the order of their places; they must not overlap.
  void add(Part part) { parts_.push_back(std::move(part)); }
  const std::vector<Part>& parts() const { return parts_; }
  bool empty() const { return parts_.empty(); }
  // Their owners may free them from here on.
  void clear() { parts_.clear(); }

  void copy_to(std::span<std::byte> buffer) const {
    for (const Part& part : parts_) std::ranges::copy(part.bytes, buffer.subspan(part.offset).begin());
  }
  // What the first `bytes` of the answer are made of, in order.
  template <class Visit>
  void visit(std::span<const std::byte> buffer, size_t bytes, Visit&& piece) const {
    size_t done = 0;
    for (const Part& part : parts_) {
      if (part.offset > done) piece(buffer.subspan(done, part.offset - done));
      piece(part.bytes);
      done = part.offset + part.bytes.size();
    }
    if (done < bytes) piece(buffer.subspan(done, bytes - done));
  }

 private:
  std::vector<Part> parts_;
};

}  // namespace firn::io
