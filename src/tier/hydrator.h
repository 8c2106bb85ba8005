// Hydrator: brings bytes back from colder tiers, and lets them go again.
#pragma once

#include <functional>
#include <optional>

#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/sync.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob/sealing.h"
#include "tier/tier.h"

namespace firn::tier {

struct HydrateOptions {
  uint64_t chunk_bytes = 4 << 20;  // the volume's
  std::optional<Key> key;
  size_t chunks_in_flight = 32;     // of all files together: what bounds memory
  int64_t get_ns = 60'000'000'000;  // deadline of one chunk from one tier, attempts included
  // A tier gave something else than what was put there, or has lost it. May be empty.
  std::function<void(const std::string& tier, InodeId inode, ChunkIndex chunk, const Status& what)> on_damage;
};

// Thread-safe. What it refers to must outlive it.
class Hydrator {
 public:
  struct Parts {
    meta::Service& meta;
    meta::Tiering& tiering;
    io::BlockingPool& pool;  // for decompression
    Tiers tiers;
  };
  Hydrator(Parts parts, HydrateOptions options)
      : parts_(std::move(parts)), options_(std::move(options)), in_flight_(options_.chunks_in_flight) {}

  // The bytes of a recorded chunk, verified, from the nearest tier that has them. kCorrupt: every tier that answers has
  // something else. kUnavailable and the like: no tier answers.
  io::Task<Result<std::string>> fetch(InodeId inode, meta::Chunk chunk, io::CancelToken* token);

  // kCorrupt: there is none.
  io::Task<Result<meta::Chunk>> record_of(InodeId inode, ChunkIndex index);

  // Empties the backing of an uploaded file, once the log that says so is on the disk. The caller keeps the file from
  // being written, and no one has its backing open but through `backing`. kBusy: not (all) uploaded. Of a file that is
  // evicted already, what has come back goes again.
  io::Task<Result<void>> evict(InodeId inode, data::Object& backing);
  // The backing holds all of it again, durably.
  io::Task<Result<void>> mark_resident(InodeId inode);

 private:
  io::Task<Result<std::string>> fetch_nearest(InodeId inode, const meta::Chunk& chunk, uint32_t tiers,
                                              io::CancelToken* token);
  io::Task<Result<std::string>> fetch_from(const Tier& tier, InodeId inode, const meta::Chunk& chunk,
                                           io::CancelToken* token);

  const Parts parts_;
  const HydrateOptions options_;
  io::Semaphore in_flight_;
};

}  // namespace firn::tier
