// Journal: what lies over a file's chunks (meta::Tiering::commit_journal()), to be laid over what comes from a tier.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "meta/tiering.h"
#include "tier/blob/blocks.h"

namespace firn::tier {

// A value; const calls are thread-safe.
class Journal {
 public:
  Journal() = default;
  explicit Journal(std::vector<meta::JournalBlock> blocks);

  bool empty() const { return blocks_.empty(); }
  // Whether all of the range is in it; an empty range is.
  bool covers(uint64_t offset, uint64_t bytes) const;
  // Whether something of the range is.
  bool touches(uint64_t offset, uint64_t bytes) const;
  // Replaces what it has of `bytes`, which are those at `offset` of the file.
  void lay_over(uint64_t offset, std::span<char> bytes) const;

  // How much of a chunk at `offset`, which is to have `wanted` bytes, has to come from its record with `recorded`
  // bytes. kCorrupt: record and journal together do not make up the chunk.
  Result<uint64_t> base_bytes(uint64_t offset, uint64_t wanted, uint64_t recorded) const;

 private:
  std::map<uint64_t, std::string> blocks_;  // by index
};

}  // namespace firn::tier
