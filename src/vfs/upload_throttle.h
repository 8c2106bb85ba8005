// UploadThrottle: how fast uploads may go while programs write: the disk and the processors are theirs first.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

namespace firn::vfs {

// note() by one caller at a time; else thread-safe.
class UploadThrottle {
 public:
  // Who writes slower than this is not disturbed by uploads.
  static constexpr uint64_t kFastBytesPerS = 16 << 20;
  // Of the rate at which programs write, where that is more than `least`.
  static constexpr uint64_t kShare = 8;

  // Who pauses for so long no longer writes fast.
  static constexpr int64_t kPauseNs = 900'000'000;

  // `least_bytes_per_s`: uploads are never held to less; 0: they are never held back.
  explicit UploadThrottle(uint64_t least_bytes_per_s) : least_(least_bytes_per_s) {}

  // Called several times a second while files are uploaded: programs have written so much until now, about. `urgent`:
  // uploads are needed to make room for more.
  void note(uint64_t written_bytes, bool urgent, int64_t now_ns) {
    const int64_t passed_ns = now_ns - std::exchange(noted_ns_, now_ns);
    const uint64_t before = std::exchange(written_, written_bytes);
    if (passed_ns <= 0 || passed_ns == now_ns) return;  // the first
    const double grown = written_bytes > before ? static_cast<double>(written_bytes - before) : 0;
    const auto rate = static_cast<uint64_t>(grown / (static_cast<double>(passed_ns) / 1e9));
    const bool fast = least_ > 0 && rate >= kFastBytesPerS;
    if (fast) fast_until_ns_ = now_ns + kPauseNs;
    if (fast) bytes_per_s_ = std::max(least_, rate / kShare);
    if (urgent || now_ns >= fast_until_ns_) bytes_per_s_ = 0;
  }

  // There is nothing to upload: what is noted next is the first.
  void forget() {
    noted_ns_ = 0;
    bytes_per_s_ = 0;
  }

  // What uploads are held to; 0: nothing.
  uint64_t bytes_per_s() const { return hurried_ > 0 ? 0 : bytes_per_s_.load(); }

  // While it lives somebody waits for the uploads.
  class Hurry {
   public:
    explicit Hurry(UploadThrottle& throttle) : throttle_(throttle) { ++throttle_.hurried_; }
    ~Hurry() { --throttle_.hurried_; }
    Hurry(const Hurry&) = delete;
    Hurry& operator=(const Hurry&) = delete;

   private:
    UploadThrottle& throttle_;
  };

 private:
  const uint64_t least_;
  int64_t noted_ns_ = 0, fast_until_ns_ = 0;
  uint64_t written_ = 0;
  std::atomic<uint64_t> bytes_per_s_ = 0;
  std::atomic<unsigned> hurried_ = 0;
};

}  // namespace firn::vfs
