// StreamWriter: writes much from front to back into a file that is made durable then, so that the disk is busy with
// what has come while more of it comes.
#pragma once

#include <cstdint>
#include <span>

#include "io/sync.h"
#include "vfs/volume.h"

namespace firn::vfs {

// On one reactor. After the last write(), and whatever it returned, close() must be awaited.
class StreamWriter {
 public:
  static constexpr uint64_t kReserveBytes = 16 << 20;   // at once: what a writer who stops may hold in vain
  static constexpr uint64_t kWritebackBytes = 8 << 20;  // at least, at once

  struct Options {
    uint64_t offset = 0;  // of the first byte; ignored with write.append
    // In all, of a file as Volume::reserve wants it. 0: nothing is reserved.
    uint64_t reserved_bytes = 0;
    WriteOptions write = {};
  };
  // The handle outlives it.
  StreamWriter(Volume& volume, Handle* handle, Options options)
      : volume_(volume),
        handle_(handle),
        options_(options),
        reserve_end_(options.offset + options.reserved_bytes),
        asked_end_(options.offset) {}

  // All of `data`, behind what was written before. A failure is Volume::write's.
  io::Task<Result<void>> write(std::span<const std::byte> data);
  uint64_t written_bytes() const { return written_bytes_; }
  // Nothing is under way any more. What was written is durable with Volume::fsync.
  io::Task<void> close();

 private:
  uint64_t position() const { return options_.offset + written_bytes_; }
  io::Task<void> reserve();
  void start_writeback();
  io::Task<void> write_back(uint64_t offset, uint64_t bytes, io::Gate::Entry entry);

  Volume& volume_;
  Handle* const handle_;
  const Options options_;
  const uint64_t reserve_end_;
  uint64_t written_bytes_ = 0;
  uint64_t reserved_until_ = 0;
  uint64_t asked_end_;  // of what the disk was asked to write
  bool asking_ = false;
  io::Gate under_way_;
};

}  // namespace firn::vfs
