// Optimistic conflict detection for an engine all of whose commits pass through one process.
// docs/decisions/0002-conflict-detection.md says why it is our own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kv/kv.h"
#include "kv/small_vector.h"
#include "kv/write_set.h"

namespace firn::kv {

// What a transaction read and wants unchanged at its commit.
struct ReadSet {
  SmallVector<uint64_t, 12> key_hashes;
  std::vector<Range> ranges;  // an empty end: to the last key

  bool empty() const { return key_hashes.empty() && ranges.empty(); }
};

// Remembers which keys recent commits wrote. Not thread-safe: used under the engine's commit mutex.
//
// Invariants:
//  1. slots_[hash & mask] >= the version of the newest commit that wrote a key with that hash.
//  2. The window holds every write of every commit with a version > window_floor_, oldest first.
// A slot that is not newer than the reader proves that nothing happened. Otherwise the window gives the exact
// answer (up to equal 64-bit hashes), unless the reader is older than the window: then it conflicts.
class ConflictDetector {
 public:
  struct Options {
    size_t slots = size_t{1} << 16;        // a power of two
    size_t window_keys = size_t{1} << 14;  // at least 1
  };

  // `start`: the engine's last version when it opened.
  explicit ConflictDetector(Version start) : ConflictDetector(start, Options{}) {}
  ConflictDetector(Version start, Options options);

  // Whether something in `reads` was written by a commit newer than `read_version`.
  bool conflicts(const ReadSet& reads, Version read_version) const;

  // The writes of a commit; versions ascend.
  void record(const WriteSet& writes, Version version);

 private:
  struct Write {
    Version version = 0;
    uint64_t key_hash = 0;
    std::string key;  // its capacity is reused
  };

  bool key_written_since(uint64_t key_hash, Version read_version) const;
  bool range_written_since(const Range& range, Version read_version) const;
  // Calls `visit(write)` for writes newer than `read_version`, newest first, until it returns true; whether it did.
  template <class Visit>
  bool any_since(Version read_version, Visit visit) const;

  std::vector<Version> slots_;
  std::vector<Write> window_;  // a ring
  size_t next_ = 0;            // where the next write goes
  size_t filled_ = 0;
  Version window_floor_;
  Version last_version_;
};

}  // namespace firn::kv
