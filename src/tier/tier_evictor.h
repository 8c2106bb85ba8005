// TierEvictor: keeps a colder tier that has another behind it below a size. Blobs leave it that every tier behind it
// has, whole as far as anybody knows, those that were put or read longest ago first.
//
// The order: the tiers behind it say that they have the blob; the record says that it leaves, durably; then the object
// goes; then the record says that it is gone.
// A crash in between leaves a record from which the next pass goes on, or takes the blob back: it asks again.
#pragma once

#include <cstdint>
#include <vector>

#include "io/cancel.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob_uses.h"
#include "tier/keeper_check.h"
#include "tier/tier.h"

namespace firn::tier {

// Of one tier.
struct TierRoom {
  uint64_t max_bytes = 0;      // that it may hold; 0: as much as fits
  unsigned high_percent = 85;  // of max_bytes: blobs begin to leave
  unsigned low_percent = 70;   // until the tier is down to this
  bool full = false;           // its store has said so: something is to go, whatever max_bytes is
};

struct TierEvictOptions {
  size_t removes_in_flight = 8;
  int64_t remove_ns = 60'000'000'000;  // deadline of one, attempts included
  KeeperCheckOptions keepers;
};

struct TierEvictSummary {
  std::vector<uint64_t> held_bytes;     // by tier, of blobs that it has when the pass ends
  std::vector<uint64_t> evicted_blobs;  // likewise, those that left
  std::vector<uint64_t> evicted_bytes;
  uint64_t failed = 0;   // objects that could not be removed; the next pass tries again
  Status first_failure;  // of that, or of a tier behind that does not say whether it has what is to leave
};

// One pass at a time, and none beside a scrubber that repairs: what that puts again must not be what leaves. What it
// refers to must outlive it.
class TierEvictor {
 public:
  struct Parts {
    meta::Service& meta;
    meta::Tiering& tiering;
    const BlobUses& uses;
    Tiers tiers;
  };
  TierEvictor(Parts parts, TierEvictOptions options) : parts_(std::move(parts)), options_(std::move(options)) {}

  // `rooms`: one for each tier; the last tier's is ignored, nothing ever leaves it. Fails only when the metadata cannot
  // be read or written; kInterrupted: `token` (may be null) was cancelled.
  io::Task<Result<TierEvictSummary>> pass(std::vector<TierRoom> rooms, io::CancelToken* token);

 private:
  const Parts parts_;
  const TierEvictOptions options_;
};

}  // namespace firn::tier
