// BlobReadahead: small files lie next to one another in blobs, and are read one after the other. So where neighbouring
// frames are asked for, more of the blob comes with one GET, and what was not asked for yet is kept for a while.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "io/sync.h"
#include "io/until.h"
#include "tier/blob/blocks.h"
#include "tier/tier.h"

namespace firn::tier {

struct BlobReadaheadOptions {
  uint64_t cache_bytes = 64 << 20;  // of all ranges, those on their way included; 0: every GET is of what was asked
  uint64_t range_bytes = 8 << 20;   // of one GET, and of the credit of one blob
};

struct BlobReadaheadStatistics {
  uint64_t ranges = 0;       // GETs of more than what was asked
  uint64_t range_bytes = 0;  // that they brought
  uint64_t served = 0;       // frames that needed no GET of their own
  uint64_t cached_bytes = 0;
};

// Holds stored bytes, which nobody has verified: whoever decodes them does. Blobs are immutable, so what is kept is
// right for as long as the tier was; if it was not, forget() it.
//
// Invariants:
//  1. What comes that nobody asked for is at most kCreditPerByte times what was asked for of the same blob, so that
//     reading at random costs at most so much more. In order, it makes each range that many times the one before.
//  2. A frame that is not near one that was asked for before is fetched alone.
//  3. A range is fetched by one caller; others who want some of it wait for that.
// Thread-safe. Calls need a current reactor, and must have returned before it is destroyed.
class BlobReadahead {
 public:
  struct Wanted {
    const Tier& tier;  // told apart by its name
    const std::string& blob;
    uint64_t blob_bytes = 0;
    Extent place;  // of a frame in the blob
  };
  struct Got {
    std::string bytes;    // fewer than asked when the object ends before
    bool shared = false;  // they came with a range: if they are not right, ask forget() and the tier itself
  };

  explicit BlobReadahead(BlobReadaheadOptions options) : options_(options) {}

  // Where a range fails, what was asked for is fetched alone: what fails then is the result.
  io::Task<Result<Got>> get(Wanted wanted, io::Until until);
  void forget(const Tier& tier, const std::string& blob);

  BlobReadaheadStatistics statistics() const;

 private:
  struct Blob;
  // Some of a blob, on its way or here.
  struct Range {
    Blob* blob = nullptr;  // null: it is no longer kept
    Extent place;
    uint64_t unserved_bytes = 0;
    uint64_t last_call = 0;  // of those that it served
    std::list<std::shared_ptr<Range>>::iterator used;
    io::Event done;
    // Once done; empty when the GET failed.
    std::string bytes;

    bool holds(Extent other) const;
  };
  using RangeRef = std::shared_ptr<Range>;
  using Key = std::pair<std::string, std::string>;  // tier, blob
  struct Blob {
    std::map<uint64_t, RangeRef> ranges;  // by their begin
    std::deque<uint64_t> marks;           // where reading lately went on, newest last
    uint64_t credit = 0;                  // bytes that may come unasked
    uint64_t bytes = 0;
    std::list<Key>::iterator used;
  };

  // ---- under mutex_ ----
  Blob& blob_of(const Key& key);
  RangeRef find(const Blob& blob, Extent place) const;
  // Whether `place` is near a mark, which then moves on; else it becomes one.
  // Whether reading has come to the end of the blob that was read last.
  bool last_is_at_its_end() const;
  static bool note(Blob& blob, Extent place);
  // A range that begins with what is wanted; null: it is to be fetched alone.
  RangeRef plan(Blob& blob, const Wanted& wanted);
  uint64_t share() const;
  bool make_room(uint64_t bytes);
  void drop(const RangeRef& range);
  // `bytes` of it were; the caller holds a reference of its own.
  void note_served(const RangeRef& range, uint64_t bytes);

  io::Task<void> fetch(RangeRef range, const Wanted& wanted, io::Until until);

  const BlobReadaheadOptions options_;
  mutable std::mutex mutex_;  // guards all below, and ranges until they are done
  std::map<Key, Blob> blobs_;
  std::list<Key> blobs_by_use_;  // the longest unused first
  std::list<RangeRef> ranges_;   // likewise
  Blob* last_ = nullptr;         // that was asked for
  uint64_t calls_ = 0;
  BlobReadaheadStatistics statistics_;
};

}  // namespace firn::tier
