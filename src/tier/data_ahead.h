// DataAhead: where a file has data on the local disk, so that its holes need not be read.
#pragma once

#include <limits>
#include <string>

#include "base/checksum.h"
#include "io/disk.h"

namespace firn::tier {

// One coroutine at a time, at ascending offsets. The file must outlive it.
class DataAhead {
 public:
  explicit DataAhead(io::File& file) : file_(file) {}

  // Whether [offset, offset + bytes) was all hole when that was looked at. A file system that does not tell has none.
  io::Task<bool> is_hole(uint64_t offset, uint64_t bytes) {
    if (next_ < offset || !looked_) {
      const Result<uint64_t> found = co_await file_.seek(io::Seek::kData, offset);
      const bool none = !found && found.error() == Code::kNoDevice;
      next_ = none ? std::numeric_limits<uint64_t>::max() : found.value_or(offset);
      looked_ = true;
    }
    co_return next_ >= offset + bytes;
  }
  // Of so many zeros.
  uint64_t hole_checksum(size_t bytes) {
    if (zeros_ != bytes) zeros_checksum_ = checksum64(std::string(bytes, '\0'));
    zeros_ = bytes;
    return zeros_checksum_;
  }

 private:
  io::File& file_;
  uint64_t next_ = 0;  // of what was looked at last: where data begins at or after it
  bool looked_ = false;
  size_t zeros_ = 0;  // of what zeros_checksum_ is
  uint64_t zeros_checksum_ = 0;
};

}  // namespace firn::tier
