// UnstableWrites: what was written to a file and not made durable, so that the disk begins with it before a COMMIT
// waits.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

namespace firn::nfs {

// Of one file. Thread-safe. Every byte is asked for at most as often as it was written.
class UnstableWrites {
 public:
  static constexpr uint64_t kWritebackBytes = 8 << 20;  // at least, at once

  struct Range {
    uint64_t offset = 0, bytes = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };
  // Takes note of a write. A range: the caller asks the disk for it (vfs::Volume::start_writeback), and calls asked()
  // then; until that there is no other. Writes all over the file come to none: those blocks may be written again.
  std::optional<Range> note(uint64_t offset, uint64_t bytes);
  void asked();

 private:
  std::mutex mutex_;  // guards what follows; a few instructions
  uint64_t first_ = UINT64_MAX, end_ = 0;
  uint64_t bytes_ = 0;  // between first_ and end_
  bool asking_ = false;
};

}  // namespace firn::nfs
