#include "vfs/memory_object.h"

#include <algorithm>
#include <cstring>

namespace firn::vfs {

io::Task<Result<size_t>> MemoryObject::read(uint64_t offset, std::span<std::byte> buffer) {
  std::lock_guard lock(mutex_);
  if (offset >= content_.size()) co_return size_t{0};
  const size_t count = std::min<size_t>(buffer.size(), content_.size() - offset);
  std::memcpy(buffer.data(), content_.data() + offset, count);
  co_return count;
}

io::Task<Result<void>> MemoryObject::write(uint64_t offset, std::span<const std::byte> data) {
  std::lock_guard lock(mutex_);
  if (content_.size() < offset + data.size()) content_.resize(offset + data.size());
  if (!data.empty()) std::memcpy(content_.data() + offset, data.data(), data.size());
  mtime_ = clock_.now();
  co_return Result<void>();
}

io::Task<Result<void>> MemoryObject::truncate(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  content_.resize(bytes);
  mtime_ = clock_.now();
  co_return Result<void>();
}

io::Task<Result<uint64_t>> MemoryObject::seek(io::Seek what, uint64_t offset) {
  std::lock_guard lock(mutex_);
  if (offset >= content_.size()) co_return fail(Code::kNoDevice);
  co_return what == io::Seek::kData ? offset : content_.size();
}

io::Task<Result<io::FileStat>> MemoryObject::stat() {
  std::lock_guard lock(mutex_);
  io::FileStat stat;
  stat.bytes = content_.size();
  stat.allocated_bytes = (content_.size() + 511) / 512 * 512;
  stat.atime = atime_;
  stat.mtime = stat.ctime = mtime_;
  co_return stat;
}

io::Task<Result<void>> MemoryObject::set_times(Timestamp atime, Timestamp mtime) {
  std::lock_guard lock(mutex_);
  atime_ = atime;
  mtime_ = mtime;
  co_return Result<void>();
}

uint64_t MemoryObject::bytes() const {
  std::lock_guard lock(mutex_);
  return content_.size();
}

std::string MemoryObject::content() const {
  std::lock_guard lock(mutex_);
  return content_;
}

void MemoryObject::touch_atime() {
  std::lock_guard lock(mutex_);
  if (atime_ <= mtime_) atime_ = clock_.now();
}

}  // namespace firn::vfs
