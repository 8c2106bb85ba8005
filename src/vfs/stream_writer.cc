#include "vfs/stream_writer.h"

#include <algorithm>
#include <utility>

namespace firn::vfs {

io::Task<Result<void>> StreamWriter::write(std::span<const std::byte> data) {
  while (!data.empty()) {
    const size_t bytes = CO_TRY(co_await volume_.write(handle_, position(), data, options_.write));
    written_bytes_ += bytes;
    data = data.subspan(bytes);
  }
  if (options_.write.append) co_return {};
  start_writeback();
  co_await reserve();
  co_return {};
}

// Behind what has been written: until then it may all have been in memory.
io::Task<void> StreamWriter::reserve() {
  constexpr uint64_t kWorthwhileBytes = 1 << 20;
  const uint64_t from = std::max(position(), reserved_until_);
  if (from > position() + kWorthwhileBytes || from + kWorthwhileBytes > reserve_end_) co_return;
  reserved_until_ = std::min(from + kReserveBytes, reserve_end_);
  co_await volume_.reserve(handle_, from, reserved_until_ - from);
}

// Whole blocks, as the last one is about to be written again. One request at a time: on a slow disk they grow.
void StreamWriter::start_writeback() {
  constexpr uint64_t kBlockBytes = 64 << 10;
  const uint64_t end = position() / kBlockBytes * kBlockBytes;
  if (asking_ || end < asked_end_ + kWritebackBytes) return;
  asking_ = true;
  const uint64_t offset = std::exchange(asked_end_, end);
  io::detach(write_back(offset, end - offset, under_way_.enter()));
}

io::Task<void> StreamWriter::write_back(uint64_t offset, uint64_t bytes, io::Gate::Entry) {
  co_await volume_.start_writeback(handle_, offset, bytes);
  asking_ = false;
}

io::Task<void> StreamWriter::close() { co_await under_way_.close(); }

}  // namespace firn::vfs
