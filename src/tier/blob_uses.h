// BlobUses: when blobs were last read from, as far as it is remembered.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/time.h"

namespace firn::tier {

// Thread-safe. Remembers a bounded number of blobs, in memory only: what it has forgotten counts as not read.
class BlobUses {
 public:
  static constexpr size_t kMost = 1 << 16;  // about 5 MiB

  void note(const std::string& blob, Timestamp time);
  // The beginning of time: not known.
  Timestamp last(const std::string& blob) const;

 private:
  void forget_older_half();

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Timestamp> times_;
};

}  // namespace firn::tier
