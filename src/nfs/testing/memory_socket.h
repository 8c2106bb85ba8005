// A socket whose peer has sent all that it will, in pieces, and whose answers are kept.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>

#include "io/socket.h"

namespace firn::nfs {

class MemorySocket final : public io::Socket {
 public:
  MemorySocket(std::deque<std::string> pieces, std::string* received)
      : pieces_(std::move(pieces)), received_(received) {}

  io::Task<Result<size_t>> recv(std::span<std::byte> buffer, io::Until) override {
    while (!pieces_.empty() && pieces_.front().empty()) pieces_.pop_front();
    if (pieces_.empty() || shut_) co_return size_t{0};
    std::string& piece = pieces_.front();
    const size_t bytes = std::min(buffer.size(), piece.size());
    std::memcpy(buffer.data(), piece.data(), bytes);
    piece.erase(0, bytes);
    co_return bytes;
  }

  io::Task<Result<void>> send(std::span<const std::byte> data, io::Until) override {
    received_->append(reinterpret_cast<const char*>(data.data()), data.size());
    co_return {};
  }

  void shutdown(Side) override { shut_ = true; }

 private:
  std::deque<std::string> pieces_;
  std::string* const received_;
  bool shut_ = false;
};

}  // namespace firn::nfs
