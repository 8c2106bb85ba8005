// UploadFile: one file on its way to colder tiers.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "meta/tiering.h"
#include "tier/blobs_under_way.h"

namespace firn::tier {

// What is to be recorded of a file, as meta::Upload has it.
struct UploadRecords {
  std::vector<meta::Chunk> chunks;
  std::vector<std::string> contents;  // of each
  void add(meta::Chunk chunk, std::string content);
  void append(const UploadRecords& more);
  // Up to `count` of them.
  UploadRecords slice(size_t from, size_t count) const;
  void keep_first(size_t count);
};

struct UploadFile {
  InodeId inode;
  uint64_t generation = 0;
  uint64_t chunk_count = 0;
  uint64_t bytes = 0;
  uint32_t skip = 0;  // its policy: tiers that are not to have it
  // No tier is to have it: what they have goes.
  bool leaves = false;
  // Colder tiers have a version of it already: the new one replaces it as a whole, when all of it is there.
  bool replaces = false;
  size_t replaced_chunks = 0;                   // so far
  std::optional<uint64_t> recorded_bytes = {};  // of that version
  bool hot = false;                             // its content is on the local disk
  bool at_rest = true;                          // as meta::Upload has it; false: it is taken as it is
  UploadRecords records;  // of that, those that were sent; and of any file, those in frames that were there already
  std::unordered_map<std::string, BlobsUnderWay::Hold> held = {};  // the blobs of these records
  size_t outstanding = 1;  // its being read, and its parts in blobs: what is not done of that
  bool read = false;       // every chunk up to `end` is on its way, or need not go
  bool failed = false;     // something of it did not arrive everywhere
  bool refused = false;    // why has been noted
  bool only_waits = true;  // that is all for tiers that are away
  uint32_t lacking = 0;    // these
  bool outdated = false;   // it has changed: what was read is not recorded

  // A pass takes it from `begin` to `end`, chunks; with those before, all is as Turn had it then.
  struct Turn {
    uint64_t begin = 0;
    uint64_t end = 0;
    size_t records = 0, replaced_chunks = 0;
    uint32_t lacking = 0;
  };
  Turn turn = {};
  bool ends() const { return turn.end == chunk_count; }
};

}  // namespace firn::tier
