// What `fsck --deep` asks of colder tiers: every byte of every blob in every tier, and every chunk's record against
// them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "meta/tiering.h"
#include "tier/blob/sealing.h"
#include "tier/tier.h"

namespace firn::tier {

struct VerifyOptions {
  std::optional<Key> key;  // without it, sealed chunks are only compared with the checksums of what is stored
  int64_t get_ns = 60'000'000'000;
  uint64_t bytes_per_s = 0;  // 0: as fast as it goes
  // Blobs verified so far. May be empty.
  std::function<void(uint64_t blobs)> progress;
};

struct VerifyProblem {
  std::string tier;  // empty: it is not one tier's
  std::string blob;  // its name, 16 bytes
  InodeId inode;     // 0: the blob as a whole
  ChunkIndex chunk;
  std::string what;        // a sentence without the blob and the chunk
  bool elsewhere = false;  // it is one tier's, and another has the bytes: a scrubber mends it
};

struct VerifyReport {
  uint64_t blobs = 0, objects = 0, frames = 0, chunks = 0, bytes = 0;
  std::vector<VerifyProblem> problems;
};

// Frames that are remembered at once, about 60 bytes each: as many blobs as have that many are verified, then one walk
// over the chunk records compares those that refer to them.
inline constexpr size_t kFramesPerWalk = 1 << 20;

// Reads only. Nobody may change the volume meanwhile. Retired blobs, those that no tier has confirmed, and damaged ones
// that nothing refers to are passed over. Fails when a tier does not answer: then nothing is known.
io::Task<Result<VerifyReport>> verify_all(meta::Tiering& tiering, Tiers tiers, io::BlockingPool& pool,
                                          VerifyOptions options, io::CancelToken* token);

}  // namespace firn::tier
