// Uploader: brings to every colder tier what it lacks of settled files.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "kv/kv.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob/format.h"
#include "tier/blob/sealing.h"
#include "tier/blobs_under_way.h"
#include "tier/hydrator.h"
#include "tier/late_tiers.h"
#include "tier/packing_order.h"
#include "tier/tier.h"
#include "tier/upload_file.h"
#include "tier/upload_round.h"
#include "tier/waiting_files.h"

namespace firn::tier {

struct UploadOptions {
  uint64_t chunk_bytes = 4 << 20;  // the volume's; at most kMaxFramePlainBytes
  uint32_t block_bytes = kBlockBytes;
  Codec codec = Codec::kZstd;
  std::optional<Key> key;  // blobs are sealed with it
  // A blob is held in memory while it is filled and put: at most (blobs_in_flight + 1) * kMaxBlobBytes in all.
  size_t blobs_in_flight = 4;
  size_t files_per_pass = 4096;
  // Of one file; then it is the others' turn.
  uint64_t chunks_per_turn = 1024;
  // Of a version that replaces another, which is recorded by one transaction: it has no room for more.
  size_t most_replaced_chunks = kv::kMaxTransactionBytes / 48;
  // A file that is open for writing is looked at this often.
  int64_t live_interval_ns = 600'000'000'000;
  int64_t put_ns = 600'000'000'000;  // deadline of one blob's put, attempts included (object::retrying())
  // The same where another tier gets the blob, too, and so a later one can be given what it missed.
  int64_t put_beside_ns = 60'000'000'000;
  // A tier that moves is late so long after the first one has the blob, or late_factor times as long as that took, if
  // this is more. Longer than it takes to find out that one does not move.
  int64_t late_ns = 90'000'000'000;
  int late_factor = 4;
  int64_t reach_ns = 20'000'000'000;  // to find out whether a tier that failed answers again
  // A chunk whose content some frame in a colder tier has already is not sent again, but recorded to be there.
  bool dedup = false;
  // Nothing of what was read of a file that has changed meanwhile is recorded: needed where upload() is called.
  bool only_current = false;
  OnDamage on_damage;  // met in a tier on the way to another; may be empty
};

struct UploadSummary {
  uint64_t files = 0;       // that colder tiers have now
  uint64_t file_bytes = 0;  // theirs
  uint64_t postponed = 0;   // that changed meanwhile, or are open for writing
  uint64_t outdated = 0;    // of these, those of which nothing was recorded
  uint64_t failed = 0;
  uint64_t late = 0;         // of these, those that wait for tiers which are late (Uploader::late())
  uint64_t chunks = 0;       // that were sent
  uint64_t unchanged = 0;    // that colder tiers had already
  uint64_t chunk_bytes = 0;  // of those sent
  uint64_t shared = 0;       // that were not sent, because an equal chunk's frame is there (UploadOptions::dedup)
  uint64_t shared_bytes = 0;
  uint64_t blobs = 0;
  uint64_t blob_bytes = 0;
  uint64_t copied_blobs = 0;  // to tiers that had missed them
  // More is pending than one pass takes: the next one goes on where this one ended.
  bool more = false;
  uint64_t unfinished = 0;  // files of which a turn has arrived, and that go on in the next round
  // Nothing more is pending but these: the next pass begins with what has waited longest.
  bool again = false;
  Status first_failure;
  bool only_refused = false;  // it is of a file that is not taken as it is, and no tier has failed
};

// Of one pass.
struct UploadLimits {
  // Says, again and again, at how many bytes a second files may be read, 0: as fast as can be. Empty: likewise.
  std::function<uint64_t()> rate_now = {};
  const std::unordered_set<InodeId>* only = nullptr;  // other files wait; null: none does
  std::optional<Timestamp> pending_by = {};           // what is pending only since later waits, too

  bool allow(const meta::Pending& file) const {
    return (!pending_by || file.since <= *pending_by) && (only == nullptr || only->contains(file.inode));
  }
};

// Thread-safe, but for one pass at a time; upload() may run beside it, and beside others. What it refers to must
// outlive it.
class Uploader {
 public:
  struct Parts {
    meta::Service& meta;
    meta::Tiering& tiering;
    data::Store& data;
    io::BlockingPool& pool;  // for compression
    Random& random;          // names of blobs; must be unpredictable where blobs are sealed
    Tiers tiers;
  };
  Uploader(Parts parts, UploadOptions options);

  // What one pass leaves for the next.
  struct Memory {
    // Files that were open for writing when a pass looked at them, and when (monotonic) that was.
    std::unordered_map<InodeId, int64_t> live_files;
    // Of chunks that passes have sent, or found that they need not; only grows.
    std::atomic<uint64_t> handled_bytes = 0;
    PackingOrder order;
    UploadRound round;
    WaitingFiles waiting;
    LateTiers late;
    BlobsUnderWay under_way;
    // Generations of which more chunks have changed than one transaction can record: they are not sent again and again.
    std::unordered_map<InodeId, uint64_t> refused;
    // Files that changed while they were read, and during how many uploads, one after another, they did.
    std::unordered_map<InodeId, int> changing;
    // Files of which former passes have sent a part.
    std::unordered_map<InodeId, UploadFile> begun;
  };

  // Takes up to `files_per_pass` of the files that are pending, those that have waited longest first, with what else is
  // of their directory; passes go on with the others as long as there are `more`, then begin with the oldest again. Of
  // a file of more than `chunks_per_turn` each round sends so many. Chunks whose checksum is the recorded one are not
  // sent again; the others are packed into blobs, many files of one policy to a blob. What was read of a file that
  // changed meanwhile replaces no version, and is read anew, unless it was open for writing: such a file is taken as it
  // is, and so is one that changed during three uploads one after another. A file counts as uploaded as soon as every
  // tier that its policy does not skip has all of its chunks, whatever else the pass is at: a tier that missed a blob
  // is given it, and a chunk in a blob that does not go to such a tier is sent again. A tier that is late where others
  // have a blob is left to catch_up(), and not asked while that goes on. What fails stays pending. The result fails
  // only when the metadata cannot be read or written. `token` may be null.
  io::Task<Result<UploadSummary>> pass(io::CancelToken* token, UploadLimits limits = {});
  // One file as it is now, also while it is open for writing, which the caller keeps from being changed by others than
  // its writers: what they wrote before its newest generation began is in colder tiers when this succeeds, and
  // recorded. kConflict: it was changed and its record has a newer generation, or a blob that its chunks were to be in
  // was given up meanwhile. kStale: it is gone.
  io::Task<Result<UploadSummary>> upload(InodeId inode, io::CancelToken* token);
  // Brings to one of late().tiers() what it lacks, one blob after another, each for as long as it moves, until the tier
  // is late no more: how many. Beside passes, one call for each tier. When it fails the tier is late no more either,
  // and the next pass finds out what it lacks. `token` may be null.
  io::Task<Result<uint64_t>> catch_up(size_t tier, io::CancelToken* token);
  const LateTiers& late() const { return memory_.late; }
  // The next pass begins with what has waited longest, and asks every tier. Between passes.
  void begin_round() { memory_.round = {}; }
  // Who makes files tells it where.
  PackingOrder& order() { return memory_.order; }
  // What a collector beside it passes over. Others that make blobs beside that one put theirs there, too.
  BlobsUnderWay& under_way() { return memory_.under_way; }
  // How far passes are: grows while they run.
  uint64_t handled_bytes() const { return memory_.handled_bytes.load(std::memory_order_relaxed); }

 private:
  io::Task<Result<void>> bring_late(size_t tier, std::string name, io::CancelToken* token);

  const Parts parts_;
  const UploadOptions options_;
  Memory memory_;
  Hydrator hydrator_;  // for what is to be sent again and is in colder tiers only
};

}  // namespace firn::tier
