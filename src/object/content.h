// object::Content: what is put, in pieces that need not be copied into one buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firn::object {

// Immutable bytes, shared: copying a Content copies pointers. A call that was given one may keep it for longer than it
// runs (a request that nobody waits for any more still reads it).
class Content {
 public:
  Content() = default;
  explicit Content(std::string bytes) { append(std::move(bytes)); }

  void append(std::shared_ptr<const std::string> piece) {
    if (piece->empty()) return;
    bytes_ += piece->size();
    pieces_.push_back(std::move(piece));
  }
  void append(std::string piece) { append(std::make_shared<const std::string>(std::move(piece))); }

  uint64_t bytes() const { return bytes_; }
  // None of them is empty.
  const std::vector<std::shared_ptr<const std::string>>& pieces() const { return pieces_; }

  std::string flatten() const {
    std::string all;
    all.reserve(bytes_);
    for (const auto& piece : pieces_) all += *piece;
    return all;
  }

 private:
  std::vector<std::shared_ptr<const std::string>> pieces_;
  uint64_t bytes_ = 0;
};

}  // namespace firn::object
