// Repacker: puts chunks that colder tiers have already into new blobs, and their records after them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob/writer.h"
#include "tier/blobs_under_way.h"
#include "tier/content_index.h"
#include "tier/tier.h"

namespace firn::tier {

struct RepackOptions {
  Codec codec = Codec::kZstd;
  std::optional<Key> key;            // blobs are sealed with it
  bool dedup = false;                // the index of contents follows
  int64_t put_ns = 600'000'000'000;  // deadline of one blob's put, attempts included
};

struct RepackCounts {
  uint64_t blobs = 0;
  uint64_t chunks = 0;  // whose records were moved
  uint64_t bytes = 0;   // of the new frames
};

// One coroutine at a time. Holds one blob in memory. What it refers to must outlive it; chunks that were added and not
// flushed stay where they are.
class Repacker {
 public:
  struct Parts {
    meta::Service& meta;
    meta::Tiering& tiering;
    io::BlockingPool& pool;
    Random& random;  // names of blobs; must be unpredictable where blobs are sealed
    Tiers tiers;
    BlobsUnderWay* under_way = nullptr;  // what a collector beside it passes over; null: there is none
  };
  Repacker(Parts parts, RepackOptions options, io::CancelToken* token)
      : parts_(std::move(parts)),
        options_(options),
        hasher_(options.dedup ? std::optional<ContentHasher>(options.key) : std::nullopt),
        token_(token) {}

  // `plain`: the chunk, verified. Its new blob goes to the tiers that have `former`, in which it is, and stays out
  // of those that this stays out of. Puts a blob when one is full, or its tiers are others. After a failure, which
  // concerns what was added before, too, nothing is left to flush.
  io::Task<Result<void>> add(InodeId inode, meta::Chunk chunk, std::string plain, const meta::Blob& former);
  // Whether the frame that this chunk is in was added for another, and is not flushed yet: then the chunk goes with it.
  bool share(InodeId inode, meta::Chunk chunk);
  // Every tier of the blob has it, or its chunks stay where they are.
  io::Task<Result<void>> flush();

  const RepackCounts& counts() const { return counts_; }

 private:
  struct Packed {
    InodeId inode;
    meta::ChunkMove move;
    uint64_t new_bytes = 0;  // of its frame; 0: another's
  };
  struct Packing {
    BlobWriter writer;
    uint32_t tiers;
    uint32_t skip;
    uint32_t left;
    BlobsUnderWay::Hold held = {};  // until its chunks are moved
    std::vector<Packed> chunks = {};
    std::map<std::pair<std::string, uint64_t>, size_t> frames = {};  // by former place: where in `chunks`
  };
  io::Task<Result<void>> put(Packing& packing);
  io::Task<Result<void>> move(const Packing& packing);

  const Parts parts_;
  const RepackOptions options_;
  const std::optional<ContentHasher> hasher_;
  io::CancelToken* const token_;
  std::unique_ptr<Packing> packing_;
  RepackCounts counts_;
};

}  // namespace firn::tier
