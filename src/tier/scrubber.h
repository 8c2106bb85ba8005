// Scrubber: reads cold and hot data at a set rate, compares it with its checksums, and repairs what another place has.
//
// A repair of a blob is the same bytes under the same name again, from a tier whose copy was verified wholly. When no
// tier has such a copy, each chunk goes its own way: to a new blob when some tier has its frame, or it has come back to
// the local disk since its file was evicted; to be uploaded again when the file is on the local disk; else it is lost,
// and reported.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob_check.h"
#include "tier/hydrator.h"
#include "tier/repacker.h"
#include "tier/tier.h"

namespace firn::tier {

// What is to be done with a file that nobody has open; `attr` is its newest.
using AtRest = std::function<io::Task<Result<void>>(meta::Attr attr, data::Object& backing)>;
// Runs it while nobody opens the file. False: somebody has it open, or it is gone, or has no backing; it was not run.
using WithFileAtRest = std::function<io::Task<Result<bool>>(InodeId inode, AtRest then)>;

struct ScrubOptions {
  uint64_t chunk_bytes = 4 << 20;  // the volume's
  Codec codec = Codec::kZstd;
  std::optional<Key> key;           // the volume's
  bool dedup = false;               // the index of contents follows what is rescued
  uint64_t bytes_per_s = 16 << 20;  // 0: as fast as it goes
  bool repair = true;
  size_t max_findings = 1000;  // in a report; more are counted
  int64_t get_ns = 60'000'000'000;
  int64_t put_ns = 600'000'000'000;
  WithFileAtRest with_file_at_rest;  // for scrub_hot
  // "cold" or "hot", and bytes read so far. May be empty.
  std::function<void(std::string_view what, uint64_t bytes)> progress;
};

struct ScrubFinding {
  std::string tier;  // empty: the local disk, or (a chunk that is lost) everywhere
  std::string blob;  // its name, 16 bytes; empty: the local disk
  InodeId inode;     // 0: the blob as a whole
  ChunkIndex chunk;
  Status what;
  bool repaired = false;
};

struct ScrubReport {
  uint64_t blobs = 0, objects = 0, frames = 0;  // cold; an object is a blob in one tier
  uint64_t files = 0, chunks = 0;               // hot
  uint64_t skipped_files = 0;                   // that were open
  uint64_t bytes = 0;                           // that were read
  uint64_t damaged = 0;                         // objects, and hot chunks
  uint64_t repaired = 0;                        // of those
  uint64_t rescued_chunks = 0;                  // of blobs that no tier has whole: moved to new ones
  uint64_t requeued_chunks = 0;                 // to be uploaded again from the local disk
  uint64_t lost_chunks = 0;                     // that are nowhere
  uint64_t unanswered = 0;                      // objects that could not be read: nothing is known of them
  std::vector<ScrubFinding> findings;
  uint64_t findings_dropped = 0;
  Status first_failure;  // of a tier that does not answer, or a repair

  bool clean() const { return damaged == 0 && lost_chunks == 0 && unanswered == 0; }
};

// One call at a time. May run beside everything else. What it refers to must outlive it.
class Scrubber {
 public:
  struct Parts {
    meta::Service& meta;
    meta::Tiering& tiering;
    data::Store& data;
    io::BlockingPool& pool;
    Random& random;  // names of blobs; must be unpredictable where blobs are sealed
    Tiers tiers;
    BlobsUnderWay* under_way = nullptr;  // as Repacker::Parts has it
  };
  Scrubber(Parts parts, ScrubOptions options);

  // From `*cursor` (empty: the first blob) to the end, after which it is empty again. Between blobs it is where to go
  // on after a restart: keep it somewhere now and then. Fails only when the metadata cannot be read or written, or
  // `token` was cancelled.
  io::Task<Result<ScrubReport>> scrub_cold(std::string* cursor, io::CancelToken* token);
  // The same for files that colder tiers have as they are.
  io::Task<Result<ScrubReport>> scrub_hot(std::string* cursor, io::CancelToken* token);
  // What a reader has noticed: the blob in that tier is verified, and repaired from another tier. kCorrupt: none has a
  // whole copy (scrub_cold() rescues what there is). kNotFound: no such blob, or tier, or the tier need not have it.
  io::Task<Result<void>> repair_blob(std::string name, std::string tier, io::CancelToken* token);
  // The same; and of a blob that no tier has whole, what there is is rescued, as scrub_cold() does. Ok: no reader will
  // meet that damage again. kCorrupt: chunks are lost. kNotFound: as above, nothing refers to it any more.
  io::Task<Result<void>> repair_or_rescue(std::string name, std::string tier, io::CancelToken* token);

 private:
  enum class Verdict : uint8_t { kNotThere, kSound, kDamaged, kUnknown };
  struct HotBatch;

  io::Task<Result<void>> scrub_blob(meta::Blob blob);
  // Damage that a second look confirms; reported, and on record for whoever would rely on that copy.
  io::Task<Result<Verdict>> look_at(const meta::Blob& blob, size_t tier);
  // Notes in the record what a look at that copy has found.
  io::Task<Result<void>> judge(std::string name, size_t tier, const BlobFindings& findings);
  void report_damage(const meta::Blob& blob, size_t tier, const BlobFindings& findings);
  // The object in `tier` is a verified copy of another tier's now, and was read back. kCorrupt: no other has a sound
  // one. kStale: the blob was given up.
  io::Task<Result<void>> put_again(const meta::Blob& blob, size_t tier, io::CancelToken* token);
  // A verified copy, from one of `tiers` (bits). kCorrupt: as above.
  io::Task<Result<std::string>> read_sound(const meta::Blob& blob, uint32_t tiers, io::CancelToken* token);
  io::Task<Result<BlobFindings>> check(const meta::Blob& blob, size_t tier, std::string* keep, io::CancelToken* token);

  // No tier has it whole: from now on no upload takes what is in it for safe, and no local copy of that goes.
  io::Task<Result<void>> distrust(std::string blob);
  // Chunks of such blobs.
  io::Task<Result<void>> rescue();
  // True: it is safe now, or nobody needs it.
  io::Task<Result<bool>> rescue_chunk(InodeId inode, meta::Chunk chunk);
  // Of a chunk that no tier has: what has come back of an evicted file, or been left by an eviction that was cut short.
  // None: the file is not evicted, or what is there has not the checksum of the record.
  io::Task<Result<std::optional<std::string>>> read_returned(InodeId inode, const meta::Chunk& chunk);
  // The chunk's bytes on the local disk, if they have its checksum.
  io::Task<std::optional<std::string>> read_backing(const meta::Content& content, const meta::Chunk& chunk);
  // No tier has the chunk. True: it will be uploaded again.
  io::Task<Result<bool>> requeue(InodeId inode, const meta::Chunk& chunk);

  io::Task<Result<void>> scrub_file(InodeId inode);
  io::Task<Result<void>> check_at_rest(HotBatch* batch, meta::Attr attr, data::Object* backing);
  io::Task<Result<void>> check_hot_chunk(InodeId inode, meta::Chunk chunk, data::Object* backing);

  void add(ScrubFinding finding);
  void note_failure(Status failure);
  void note_bytes(std::string_view what, uint64_t bytes);
  bool cancelled() const { return token_ != nullptr && token_->cancelled(); }

  const Parts parts_;
  const ScrubOptions options_;
  Hydrator hydrator_;
  Pace pace_;
  io::CancelToken* token_ = nullptr;  // of the call that is under way
  ScrubReport report_;
  std::set<std::string> hopeless_;  // blobs to rescue
  std::unique_ptr<Repacker> repacker_;
};

}  // namespace firn::tier
