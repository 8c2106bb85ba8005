// Collector: removes blobs that no chunk refers to, and moves what is left of mostly dead ones together.
//
// How it knows that a blob may go:
//  1. A count finds no reference to it, it is older than the grace, and no upload or rescue of this process is at it,
//     however long that lasts (BlobsUnderWay): it is retired. From that transaction on, commit_upload and move_chunks
//     refuse to refer to it, so that who was at it all the same has to send its chunks again.
//  2. A count whose snapshot is younger than that transaction finds none: so there is none, and there never will be.
//  3. It has been retired for the grace (or no tier ever confirmed it), and nobody of this process copies it to a tier
//     any more. What the metadata says is on the disk, and with whoever before_remove() tells. Then the objects go,
//     from every tier; then the record.
// A crash between any two of these leaves a record from which the next pass goes on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob/format.h"
#include "tier/blob/sealing.h"
#include "tier/blobs_under_way.h"
#include "tier/hydrator.h"
#include "tier/tier.h"

namespace firn::tier {

struct CollectOptions {
  // For how long a dead blob stays: for readers that know of it still, and for states of the metadata that may come
  // back from a bucket.
  int64_t grace_ns = 24LL * 3600 * 1'000'000'000;
  // A blob that some tier lacks stays for this long at least, for its put may be under way: longer than any put lasts.
  int64_t in_flight_ns = 3600LL * 1'000'000'000;
  // When this process came to be the one that puts blobs: nobody is at what was announced before that any more, and the
  // grace is enough. The beginning of time: not known.
  Timestamp putting_since;
  // Of this process: blobs that stay, although nothing refers to them yet, or any more. Null: none does.
  const BlobsUnderWay* under_way = nullptr;
  bool dry_run = false;        // nothing is written, anywhere
  bool mend_counters = false;  // those that a count found wrong; until then their blobs stay
  // Blobs of which less than this fraction is live, that are older than the grace and of that size, are repacked. 0:
  // none is.
  double repack_below = 0.5;
  uint64_t repack_min_bytes = 1 << 20;
  uint64_t max_repacked_bytes = 1 << 30;  // of live frames, in one pass
  Codec codec = Codec::kZstd;
  std::optional<Key> key;  // the volume's
  bool dedup = false;      // the index of contents follows what is repacked
  OnDamage on_damage;      // met where chunks are read to be repacked; may be empty
  size_t removes_in_flight = 8;
  int64_t get_ns = 60'000'000'000;  // deadlines, attempts included
  int64_t put_ns = 600'000'000'000;
  int64_t remove_ns = 60'000'000'000;
  // Awaited when the local metadata says durably which blobs are to go, before any of their objects does. What was
  // retired after the time that it returns stays: readers elsewhere may not know that nothing refers to it. When it
  // fails, all stays. Also asked in a dry run. May be empty.
  std::function<io::Task<Result<Timestamp>>()> before_remove;
  // "counting" (chunks), "removing" and "repacking" (blobs), with how many so far. May be empty.
  std::function<void(std::string_view what, uint64_t done)> progress;
};

struct CollectSummary {
  uint64_t blobs = 0;
  uint64_t live = 0;                    // that chunks refer to
  uint64_t dead = 0;                    // that no chunk refers to
  uint64_t waiting = 0;                 // dead ones that are not to go yet
  uint64_t held = 0;                    // of those: for readers elsewhere alone
  uint64_t removed = 0;                 // dead ones that went (dry run: that would go)
  std::vector<uint64_t> removed_bytes;  // from each tier
  uint64_t repacked = 0;                // blobs of which the live rest was moved (dry run: that would be)
  uint64_t moved_chunks = 0;
  uint64_t moved_bytes = 0;  // of their new frames (dry run: of their present ones)
  uint64_t wrong_counters = 0;
  uint64_t mended_counters = 0;
  uint64_t failed = 0;  // blobs that could not be removed or repacked; the next pass tries again
  Status first_failure;
};

// Blobs that one walk over the chunk records counts, about 150 bytes each. Where there are more, there are more walks.
inline constexpr size_t kBlobsPerCount = 1 << 18;

// One pass at a time. What it refers to must outlive it.
class Collector {
 public:
  struct Parts {
    meta::Service& meta;
    meta::Tiering& tiering;
    io::BlockingPool& pool;  // for compression
    Random& random;          // names of blobs; must be unpredictable where blobs are sealed
    Tiers tiers;             // all that the volume has: a blob is gone when it is gone from each of them
  };
  Collector(Parts parts, CollectOptions options) : parts_(std::move(parts)), options_(std::move(options)) {}

  // May run beside everything else that the volume does. Fails only when the metadata cannot be read or written, or
  // `token` (may be null) was cancelled; kCorrupt: a chunk's record cannot be read, so that nothing is proven.
  io::Task<Result<CollectSummary>> pass(io::CancelToken* token);

 private:
  const Parts parts_;
  const CollectOptions options_;
};

}  // namespace firn::tier
