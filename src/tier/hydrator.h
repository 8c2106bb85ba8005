// Hydrator: brings bytes back from colder tiers, and lets them go again.
#pragma once

#include <functional>
#include <optional>

#include "data/store.h"
#include "io/blocking_pool.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob/sealing.h"
#include "tier/tier.h"

namespace firn::tier {

struct HydrateOptions {
  uint64_t chunk_bytes = 4 << 20;  // the volume's
  std::optional<Key> key;
  size_t chunks_in_flight = 8;
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
  Hydrator(Parts parts, HydrateOptions options) : parts_(std::move(parts)), options_(std::move(options)) {}

  // The bytes of a recorded chunk, verified, from the nearest tier that has them. kCorrupt: every tier that answers has
  // something else. kUnavailable and the like: no tier answers.
  io::Task<Result<std::string>> fetch(InodeId inode, meta::Chunk chunk, io::CancelToken* token);

  // The caller keeps the file from being written, and no one has its backing open but through `backing`.
  // Empties the backing of an uploaded file, once the log that says so is on the disk. kBusy: not (all) uploaded.
  io::Task<Result<void>> evict(InodeId inode, data::Object& backing);
  // Fills the backing of an evicted file; durable, and recorded, once this returned. On failure it stays evicted.
  io::Task<Result<void>> restore(InodeId inode, data::Object& backing, io::CancelToken* token);

 private:
  struct Restoring;
  io::Task<Result<std::string>> fetch_from(const Tier& tier, InodeId inode, const meta::Chunk& chunk,
                                           io::CancelToken* token);
  io::Task<void> restore_chunk(Restoring* restoring, meta::Chunk chunk);

  const Parts parts_;
  const HydrateOptions options_;
};

}  // namespace firn::tier
