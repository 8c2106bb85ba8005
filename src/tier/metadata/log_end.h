// Where the log ends, and whose it is there.
#pragma once

#include <optional>
#include <vector>

#include "tier/metadata/bucket.h"

namespace firn::tier {

// That are asked for behind what looks like the log's end: something may be missing there.
inline constexpr size_t kPlacesBehind = 8;
// The same where it is read once and for all; so many as above at once.
inline constexpr size_t kPlacesFarBehind = 64;

// Epochs ascend along the log. An object of a lower epoch than one before it is a stray: its writer had been taken over
// before it put that, and did not know, because the store had forgotten what stood before. Everybody passes strays
// over.
struct LogEnd {
  uint64_t place = 0;     // the first that is free, or the next one to look at
  uint64_t epoch = 0;     // in force there: the greatest of those before it; 0: not known
  Bytes16 writer{};       // of that epoch, when one of its objects was passed
  bool released = false;  // the last object before it says that its writer has ended

  bool is_stray(const Envelope& at) const { return at.epoch < epoch; }
  // Over the object at `place`.
  void pass(const Envelope& at) {
    released = at.kind == LogKind::kRelease && !is_stray(at);
    if (!is_stray(at)) {
      epoch = at.epoch;
      writer = at.writer;
    }
    ++place;
  }
};

// `newest`: the newest root, or none (number 0). A few requests for every bit of the number of places; where there are
// strays, or objects behind a hole, one for every place. Holes with objects in force behind them are passed over:
// readers complain about them.
io::Task<Result<LogEnd>> find_log_end(Bucket bucket, const FoundRoot& newest, io::CancelToken* token);

// The headers of the log's places from `first` on, asked for at once; nullopt where there is nothing. What has no whole
// header has epoch 0, as a stray of nobody.
using LogHeaders = std::vector<std::optional<Envelope>>;
io::Task<Result<LogHeaders>> read_log_headers(Bucket bucket, uint64_t first, size_t count, io::CancelToken* token);

}  // namespace firn::tier
