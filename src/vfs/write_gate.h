// WriteGate: lets writes pass that take no lock, but for a moment in which a file must not change.
#pragma once

#include <atomic>
#include <cstdint>

#include "io/reactor.h"

namespace firn::vfs {

// Thread-safe. One at a time shuts it: who holds Node::mutex.
class WriteGate {
 public:
  // False: it is shut; to wait, lock Node::mutex, and try again. Otherwise leave() when the write is done.
  bool enter() {
    ++writing_;
    if (!shut_) return true;
    --writing_;
    return false;
  }
  void leave() { --writing_; }

  // Waits for the writes that have passed.
  io::Task<void> shut() {
    constexpr int64_t kLookNs = 50'000;
    shut_ = true;
    while (writing_ != 0) co_await io::sleep_for(kLookNs);
  }
  void open() { shut_ = false; }

 private:
  std::atomic<uint32_t> writing_ = 0;
  std::atomic<bool> shut_ = false;
};

// One write's passage, after enter().
class WritePass {
 public:
  explicit WritePass(WriteGate& gate) : gate_(gate) {}
  WritePass(const WritePass&) = delete;
  WritePass& operator=(const WritePass&) = delete;
  ~WritePass() { gate_.leave(); }

 private:
  WriteGate& gate_;
};

}  // namespace firn::vfs
