// Keeps background work at a rate.
#pragma once

#include <algorithm>
#include <cstdint>

#include "io/cancel.h"
#include "io/reactor.h"

namespace firn::tier {

// One coroutine at a time.
class Pace {
 public:
  explicit Pace(uint64_t bytes_per_s) : bytes_per_s_(bytes_per_s) {}  // 0: no limit

  // From the next spend() on.
  void change(uint64_t bytes_per_s) {
    if (bytes_per_s == 0) next_ns_ = 0;
    bytes_per_s_ = bytes_per_s;
  }

  // Waits until what was spent before has had its time; then `bytes` are spent. False: `token` was cancelled.
  io::Task<bool> spend(uint64_t bytes, io::CancelToken* token) {
    if (token != nullptr && token->cancelled()) co_return false;
    if (bytes_per_s_ == 0) co_return true;
    const int64_t now = io::Reactor::current()->clock().monotonic_ns();
    const int64_t begin = std::max(next_ns_, now);
    next_ns_ = begin + static_cast<int64_t>(static_cast<double>(bytes) / static_cast<double>(bytes_per_s_) * 1e9);
    co_return begin == now || co_await io::sleep_for(begin - now, token);
  }

 private:
  uint64_t bytes_per_s_;
  int64_t next_ns_ = 0;
};

}  // namespace firn::tier
