// What a scrub asks of the metadata in the bucket: whether a restore would find everything whole.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tier/metadata/bucket.h"
#include "tier/pace.h"

namespace firn::tier {

struct MetadataDamage {
  std::string object;  // its name
  Status what;
  TableRef table;         // which, if it is one: its number is not 0
  bool repaired = false;  // a newer root does without it, or it was put again
};

struct MetadataReport {
  uint64_t root = 0;  // the newest; 0: the bucket holds no metadata yet
  uint64_t tables = 0, logs = 0, bytes = 0;
  std::vector<MetadataDamage> damage;
  bool clean() const { return damage.empty(); }
};

struct CheckMetadataOptions {
  uint64_t root_hint = 0;                        // a root's number that is known to have existed
  uint64_t log_end = 0;                          // a place of the log before which it is known to have no hole
  Pace* pace = nullptr;                          // may be null; outlives the check
  uint64_t request_bytes = 8 << 20;              // of a table, at once, and held in memory
  std::function<void(uint64_t bytes)> progress;  // that were read so far; may be empty
};

// The newest root, its tables and the log from its `first_log` on, each byte against its checksums (and seals). May run
// beside the writer. Changes nothing. Fails when the store does not answer: then nothing is known.
io::Task<Result<MetadataReport>> check_metadata(Bucket bucket, CheckMetadataOptions options, io::CancelToken* token);

}  // namespace firn::tier
