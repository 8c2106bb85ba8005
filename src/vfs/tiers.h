// Colder tiers as a volume uses them: what it is given, and what it tells of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "io/cancel.h"
#include "meta/tiering.h"
#include "tier/hydrator.h"
#include "tier/scrubber.h"
#include "tier/uploader.h"
#include "vfs/eviction_score.h"
#include "vfs/room.h"

namespace firn::vfs {

struct TierOptions {
  uint64_t chunk_bytes = 4 << 20;                  // the volume's
  uint64_t block_bytes = tier::kStoredBlockBytes;  // what comes back at least
  uint64_t nearby_bytes = tier::kBlockBytes;       // and beside what came back before
  uint64_t readahead_bytes = 64 << 20;             // of sequential reading of what is away
  size_t chunks_in_flight = 8;                     // of one file, on their way back
  int64_t flush_interval_ns = 30'000'000'000;      // uploads begin this often,
  uint64_t flush_bytes = 64 << 20;                 // or when so much has been closed, whichever is first
  uint64_t busy_bytes_per_s = 0;                   // UploadThrottle's least; 0: uploads are never held back
  uint64_t hot_max_bytes = 0;                      // on the local disk, of files (and metadata); 0: as much as it has
  uint64_t hot_hard_max_bytes = 0;  // what writers may fill while nothing can be evicted; 0: a tenth more
  unsigned high_percent = 85;       // of that: eviction begins here
  unsigned low_percent = 70;        // and ends here
  EvictionWeights eviction;         // of what decides which files go first
};

// All of it outlives the volume.
struct TierParts {
  std::vector<std::string> names;  // nearest first
  meta::Tiering& tiering;
  tier::Uploader& uploader;
  tier::Hydrator& hydrator;
  TierOptions options;
  // After an upload: what the metadata says of it goes where it is to go, too. May be empty.
  std::function<io::Task<Result<void>>()> ship_metadata;
  // Whether colder tiers may be written at all: somebody else may have taken them over. May be empty.
  std::function<Status()> permitted;
  // What the metadata takes on the local disk, where that is a part of hot_max: in a cache, all of it must fit. Empty:
  // hot_max is of files alone.
  std::function<uint64_t()> metadata_bytes;
};

// What is left of hot_max, or hot_hard_max, for files beside the metadata: a quarter at least, whatever that takes.
inline uint64_t left_for_files(uint64_t max_bytes, uint64_t metadata_bytes) {
  return max_bytes - std::min(metadata_bytes, max_bytes - max_bytes / 4);
}

struct TierStatistics {
  uint64_t pending_files = 0;                                           // as of the last look
  uint64_t pending_bytes = 0;                                           // of these files, all of each
  Timestamp oldest_pending;                                             // zero: none
  uint64_t uploaded_files = 0, uploaded_bytes = 0, uploaded_blobs = 0;  // by this process
  uint64_t shared_bytes = 0;  // of chunks that need not be sent, because equal ones had been
  uint64_t hydrated_bytes = 0;
  tier::BlobReadaheadStatistics readahead;  // of small files that came back
  uint64_t evicted_files = 0, evicted_bytes = 0;
  uint64_t hot_bytes = 0;  // of files on the local disk, about
  uint64_t hot_limit_bytes = 0;
  uint64_t hot_max_bytes = 0;     // the setting: hot_limit_bytes and, where it counts, the metadata
  uint64_t metadata_bytes = 0;    // on the local disk, where it counts
  unsigned hot_high_percent = 0;  // the watermarks, of that
  unsigned hot_low_percent = 0;
  RoomReport room;
  int64_t room_age_ns = 0;       // how long it has been in its state
  Status last_failure;           // of the last upload; ok when it had none
  int64_t failing_since_ns = 0;  // monotonic; 0: it is not
  bool uploading = false;
  uint64_t held_to_bytes_per_s = 0;  // uploads, while programs write fast; 0: they are not
  uint64_t handled_bytes = 0;        // of files that uploads have dealt with: how far a flush is
};

// Where a file's bytes are.
struct Residency {
  bool hot = false;         // all of it is on the local disk (or in the metadata)
  bool partly_hot = false;  // some of it is, of what is away
  bool uploaded = false;    // colder tiers have all of it, but for those that its policy skips
  bool local_only = false;  // no colder tier is to have it
  bool is_inline = false;   // in the metadata
  uint32_t bits = 0;        // 1: the local disk, 2: the nearest colder tier, 4: the next, …
  std::string policy;       // policy_text()
};

using FileSet = std::unordered_set<InodeId>;

// What waits to be uploaded.
struct PendingFile {
  InodeId inode;
  uint64_t bytes = 0;
  Timestamp since;
};

}  // namespace firn::vfs
