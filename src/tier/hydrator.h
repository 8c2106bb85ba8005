// Hydrator: brings bytes back from colder tiers, and lets them go again.
#pragma once

#include <functional>
#include <optional>

#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/page_bytes.h"
#include "io/sync.h"
#include "meta/service.h"
#include "meta/tiering.h"
#include "tier/blob/blocks.h"
#include "tier/blob/sealing.h"
#include "tier/blob_readahead.h"
#include "tier/blob_uses.h"
#include "tier/returned_blocks.h"
#include "tier/tier.h"
#include "tier/tier_order.h"

namespace firn::tier {

// A tier gave something else than what was put there, or has lost it.
struct Damage {
  std::string tier;
  InodeId inode;      // 0: all of a blob was read, of which `chunk` says the name alone
  meta::Chunk chunk;  // its record, which still was this afterwards
  Status what;
};
// Must not block.
using OnDamage = std::function<void(const Damage&)>;

// Bytes of a chunk.
struct ChunkPart {
  uint64_t offset = 0;  // in it
  io::PageBytes bytes;
};

struct HydrateOptions {
  uint64_t chunk_bytes = 4 << 20;  // the volume's
  std::optional<Key> key;
  // Of all files together, or as many bytes in parts: what bounds memory. As many more may wait for their readers.
  size_t chunks_in_flight = 32;
  int64_t get_ns = 60'000'000'000;  // deadline of one chunk from one tier, attempts included (object::retrying())
  // Backings are a cache, which does not outlive this process: what is said of them need not either.
  bool backings_are_cache = false;
  BlobReadaheadOptions readahead;  // of small files
  OnDamage on_damage;              // may be empty
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
  Hydrator(Parts parts, HydrateOptions options);

  // The bytes of a recorded chunk, verified, from the nearest tier that has them and answers (TierOrder), and from
  // wherever its record says that they are meanwhile. kCorrupt: every tier that answers has something else.
  // kUnavailable and the like: no tier answers. kStale: the record is gone, or of another version.
  io::Task<Result<std::string>> fetch(InodeId inode, meta::Chunk chunk, io::CancelToken* token);
  // The same of a part of it, and what came along: of the frame, the blocks that cover `range` of the chunk's bytes are
  // fetched and verified. All of the frame is, where the record does not say where they are, or what is there does not
  // fit the record: only what is wrong as a whole, too, is damage. kInvalid: the chunk does not have that range, or it
  // is empty.
  io::Task<Result<ChunkPart>> fetch_range(InodeId inode, meta::Chunk chunk, Extent range, io::CancelToken* token);

  // Of the memory in which bytes wait for who reads them next; empty when there is none left. Does not wait.
  io::Permits hold(uint64_t bytes) { return io::Permits::try_take(held_, permits_for(bytes)); }

  // kCorrupt: there is none.
  io::Task<Result<meta::Chunk>> record_of(InodeId inode, ChunkIndex index);

  // Empties the backing of an uploaded file, once the log that says so is on the disk. The caller keeps the file from
  // being written, and no one has its backing open but through `backing`. kBusy, kCorrupt: as mark_evicted() has it. Of
  // a file that is evicted already, what has come back goes again. `access_level` goes on record with it.
  io::Task<Result<void>> evict(InodeId inode, data::Object& backing, int64_t access_level = 0);
  // The backing holds all of it again, durably.
  io::Task<Result<void>> mark_resident(InodeId inode);

  // What has come back of files that are not open, in blocks of the caller's. evict() and mark_resident() forget it.
  ReturnedBlocks& returned() { return returned_; }
  // Who reads what is no chunk from any tier asks in the same order.
  TierOrder& order() { return order_; }
  // When blobs were last read from.
  const BlobUses& uses() const { return uses_; }
  BlobReadaheadStatistics readahead_statistics() const { return readahead_.statistics(); }

 private:
  // What is to be fetched: all of a chunk, or a range of it.
  struct Wanted {
    InodeId inode;
    const meta::Chunk& chunk;
    Extent range;
    uint64_t blob_bytes = 0;
    std::optional<BlockMap> map;  // nullopt: the whole frame is to be read
  };

  size_t permits_for(uint64_t bytes) const;
  // Whether it is a whole file, and short: such lie next to one another.
  bool is_small_file(const Wanted& wanted) const;
  std::optional<BlockMap> map_for(const Wanted& wanted) const;
  // That are asked of a tier for it.
  static uint64_t stored_bytes(const Wanted& wanted);
  io::Task<Result<ChunkPart>> fetch_recorded(InodeId inode, const meta::Chunk& chunk, Extent range,
                                             std::vector<Damage>& damages, io::CancelToken* token);
  io::Task<Result<ChunkPart>> fetch_nearest(const Wanted& wanted, uint32_t tiers, std::vector<Damage>& damages,
                                            io::CancelToken* token);
  io::Task<Result<void>> fetch_into(ChunkPart& part, size_t tier, const Wanted& wanted, io::CancelToken* token);
  io::Task<bool> has_left(const std::string& blob, size_t tier);
  // The file is not evicted after all: its backing is as it was.
  io::Task<Result<void>> take_back(InodeId inode);
  io::Task<Result<ChunkPart>> fetch_from(const Tier& tier, const Wanted& wanted, io::CancelToken* token);
  io::Task<Result<ChunkPart>> fetch_frame(const Tier& tier, const Wanted& wanted, io::CancelToken* token);
  io::Task<Result<ChunkPart>> fetch_small_file(const Tier& tier, const Wanted& wanted, io::CancelToken* token);
  io::Task<Result<ChunkPart>> open(std::string_view frame, const Wanted& wanted);
  io::Task<Result<ChunkPart>> fetch_blocks(const Tier& tier, const Wanted& wanted, io::CancelToken* token);

  const Parts parts_;
  const HydrateOptions options_;
  const size_t permits_;
  io::Semaphore in_flight_;  // a permit for each block of the usual size
  io::Semaphore held_;       // likewise
  ReturnedBlocks returned_;
  BlobReadahead readahead_;
  BlobUses uses_;
  TierOrder order_;
};

}  // namespace firn::tier
