// MemoryObject: the content of a small file while it is being written, before anything of it is stored.
#pragma once

#include <mutex>
#include <string>

#include "base/time.h"
#include "data/store.h"

namespace firn::vfs {

// Thread-safe. The semantics are io::File's, as far as a file of a few pages needs them: it has no holes, and
// allocate() and copy_from() are for real files (kNotSupported). sync() does nothing: VolumeImpl::checkpoint saves the
// content.
class MemoryObject final : public data::Object, public io::File {
 public:
  MemoryObject(Clock& clock, std::string content, Timestamp atime, Timestamp mtime)
      : clock_(clock), content_(std::move(content)), atime_(atime), mtime_(mtime) {}

  BackingId id() const override { return {}; }
  io::File& file() override { return *this; }
  int32_t passthrough_id() const override { return 0; }
  void set_passthrough_id(int32_t) override {}

  io::Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> buffer) override;
  io::Task<Result<void>> write(uint64_t offset, std::span<const std::byte> data) override;
  io::Task<Result<void>> sync(bool) override { co_return Result<void>(); }
  io::Task<Result<void>> truncate(uint64_t bytes) override;
  io::Task<Result<void>> allocate(io::Allocate, uint64_t, uint64_t) override { co_return fail(Code::kNotSupported); }
  io::Task<Result<uint64_t>> seek(io::Seek what, uint64_t offset) override;
  io::Task<Result<io::FileStat>> stat() override;
  io::Task<Result<void>> set_times(Timestamp atime, Timestamp mtime) override;
  io::Task<Result<uint64_t>> copy_from(io::File&, uint64_t, uint64_t, uint64_t) override {
    co_return fail(Code::kNotSupported);
  }

  uint64_t bytes() const;
  std::string content() const;
  // A read counts as an access when it is the first since the last change (relatime).
  void touch_atime();

 private:
  Clock& clock_;
  mutable std::mutex mutex_;  // guards the three below; a few instructions and a copy of a few pages
  std::string content_;
  Timestamp atime_, mtime_;
};

}  // namespace firn::vfs
