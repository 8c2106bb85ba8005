// fsck: every invariant between records, and between records and backing files, of a volume that nobody has mounted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "data/store.h"
#include "io/task.h"
#include "kv/kv.h"

namespace firn::vfs {

struct FsckOptions {
  bool repair = false;
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
};

struct FsckReport {
  uint64_t inodes = 0, directories = 0, names = 0, backings = 0, allocated_bytes = 0;
  uint64_t open_at_crash = 0;  // files that the next mount finishes; not a problem
  uint64_t orphans = 0;        // removed files that the next mount reclaims; not a problem
  uint64_t scratch_files = 0;  // backings without an owner, which the next mount reuses; not a problem
  std::vector<FsckProblem> problems;

  bool clean() const { return problems.empty(); }
  bool all_repaired() const {
    for (const FsckProblem& p : problems)
      if (!p.repaired) return false;
    return true;
  }
};

// Memory: about 150 bytes per inode. Without `repair` nothing is written. A repair is one that loses nothing that is
// readable: names that lead nowhere go, unreachable files come to /lost+found, counts are set right; content that is
// gone, records that cannot be decoded and backings claimed twice are only reported. Needs a current reactor; durable
// when it returned.
io::Task<Result<FsckReport>> fsck(kv::Engine& engine, data::Store& store, FsckOptions options);

}  // namespace firn::vfs
