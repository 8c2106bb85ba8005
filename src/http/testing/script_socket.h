// A socket whose peer follows a script on simulated time: what it sends and when, and what was sent to it.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>

#include "io/reactor.h"
#include "io/socket.h"

namespace firn::http {

struct Line {
  std::string text;
  int64_t after_ns = 0;  // of silence
};

enum class Ending : uint8_t { kCloses, kStaysSilent };

class ScriptSocket final : public io::Socket {
 public:
  ScriptSocket(std::deque<Line> script, Ending ending, std::string* received)
      : script_(std::move(script)), ending_(ending), received_(received) {}

  io::Task<Result<size_t>> recv(std::span<std::byte> buffer, io::Until until) override {
    if (script_.empty() && ending_ == Ending::kCloses) co_return size_t{0};
    const int64_t now_ns = io::Reactor::current()->clock().monotonic_ns();
    const int64_t ready_ns = script_.empty() ? INT64_MAX : now_ns + script_.front().after_ns;
    if (until.deadline_ns != 0 && ready_ns > until.deadline_ns) {
      co_await io::sleep_for(std::max<int64_t>(until.deadline_ns - now_ns, 0));
      if (!script_.empty()) script_.front().after_ns = ready_ns - until.deadline_ns;
      co_return fail(Code::kTimedOut);
    }
    if (script_.empty()) co_return fail(Code::kInterrupted);  // nothing would ever end this
    co_await io::sleep_for(script_.front().after_ns);
    script_.front().after_ns = 0;
    std::string& text = script_.front().text;
    const size_t bytes = std::min(buffer.size(), text.size());
    std::memcpy(buffer.data(), text.data(), bytes);
    text.erase(0, bytes);
    if (text.empty()) script_.pop_front();
    co_return bytes;
  }

  io::Task<Result<void>> send(std::span<const std::byte> data, io::Until) override {
    received_->append(reinterpret_cast<const char*>(data.data()), data.size());
    co_return {};
  }

  void shutdown(Side) override {}

 private:
  std::deque<Line> script_;
  const Ending ending_;
  std::string* const received_;
};

}  // namespace firn::http
