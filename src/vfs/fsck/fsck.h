// fsck: every invariant between records, and between records and backing files, of a volume that nobody has mounted.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "data/store.h"
#include "io/blocking_pool.h"
#include "io/task.h"
#include "kv/kv.h"
#include "tier/verify_all.h"

namespace firn::vfs {

// Colder tiers, for what only reading all of them can tell.
struct DeepCheck {
  tier::Tiers tiers;  // all of the volume's
  // The volume's. Without it, what is sealed is only compared with the checksums of what is stored.
  std::optional<tier::Key> key;
  io::BlockingPool& pool;  // for decompression
};

struct FsckOptions {
  bool repair = false;
  uint64_t hot_id = 0;  // of the folder of backings: meta::Options::hot_id
  // Every blob in every tier is read as well. With `repair`, what one tier has damaged is put there again from another,
  // and so on, as the scrubber does. Null: colder tiers are not asked. Fails when one does not answer.
  const DeepCheck* deep = nullptr;
  // Called now and then with what is being checked and how many records were read; may be null.
  std::function<void(std::string_view phase, uint64_t count)> progress;
};

// One violated invariant.
struct FsckProblem {
  InodeId inode;     // 0: none in particular
  std::string path;  // "/a/b"; empty when no name leads there
  std::string what;  // a sentence without the inode and path
  bool repairable = false;
  bool repaired = false;
  bool by_scrub = false;  // what mends it is a scrub of the volume while it is served
};

struct FsckReport {
  uint64_t inodes = 0, directories = 0, names = 0, backings = 0, allocated_bytes = 0;
  uint64_t open_at_crash = 0;      // files that the next mount finishes; not a problem
  uint64_t orphans = 0;            // removed files that the next mount reclaims; not a problem
  uint64_t scratch_files = 0;      // backings without an owner, which the next mount reuses; not a problem
  uint64_t pending = 0;            // files of which colder tiers lack something; not a problem
  uint64_t evicted = 0;            // files that are in colder tiers only
  uint64_t blobs = 0, chunks = 0;  // that are on record
  uint64_t deep_objects = 0, deep_frames = 0, deep_bytes = 0;  // that were read in colder tiers
  std::vector<FsckProblem> problems;

  bool clean() const { return problems.empty(); }
  bool all_repaired() const {
    for (const FsckProblem& p : problems)
      if (!p.repaired) return false;
    return true;
  }
};

// Memory: about 180 bytes per inode and 150 per blob. Without `repair` nothing is written. A repair is one that loses
// nothing that is readable: names that lead nowhere go, unreachable files come to /lost+found, counts are set right;
// content that is gone, records that cannot be decoded and backings claimed twice are only reported. A file on the
// local disk of which the records of colder tiers are wrong will be uploaded again. Needs a current reactor; durable
// when it returned.
io::Task<Result<FsckReport>> fsck(kv::Engine& engine, data::Store& store, FsckOptions options);

}  // namespace firn::vfs
