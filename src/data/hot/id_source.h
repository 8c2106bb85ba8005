// IdSource: backing ids that are never handed out twice, whatever crashes.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "data/hot/layout.h"
#include "io/disk.h"

namespace firn::data::internal {

// Ids of one folder: first, first + kFolders, … `count` of them.
struct IdRun {
  BackingId first;
  size_t count = 0;
  BackingId at(size_t index) const { return BackingId(first.value + index * kFolders); }
};

// Ids are reserved in blocks. Invariant: every id handed out is below the mark in root/ids, and that file is durable
// before the first id of a block is handed out. A restart abandons the rest of its block.
// Not thread-safe: the refill, of which one runs at a time, is the only caller.
class IdSource {
 public:
  // 256 ids for each folder: a refill's batch lies in one folder, so that one directory sync covers it.
  static constexpr uint64_t kBlockIds = 65536;
  // When root/ids is lost or unreadable, ids restart this far above the highest backing that exists.
  static constexpr uint64_t kSafetyGapIds = uint64_t{1} << 32;

  // `disk` and `root` must outlive this.
  IdSource(io::Disk& disk, const std::string& root) : disk_(disk), root_(root) {}

  // Reads the mark. `highest`: the greatest id among the backings that exist, 0 when there is none.
  io::Task<Result<void>> load(BackingId highest);
  // Up to `limit` ids, at least one.
  io::Task<Result<IdRun>> take(size_t limit);

 private:
  io::Task<Result<void>> reserve_block();
  io::Task<Result<uint64_t>> read_mark();

  io::Disk& disk_;
  const std::string& root_;
  uint64_t mark_ = 0;          // the next block's first id
  uint64_t block_ = 0;         // the current block's first id
  uint64_t used_ = kBlockIds;  // ids of the block that are gone, counted folder by folder
};

}  // namespace firn::data::internal
