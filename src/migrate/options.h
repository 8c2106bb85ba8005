// What a migration is asked to do, and what it works with.
#pragma once

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "io/blocking_pool.h"
#include "io/cancel.h"
#include "io/reactor.h"
#include "migrate/pattern.h"
#include "migrate/source.h"
#include "vfs/volume.h"

namespace firn::migrate {

enum class Mode : uint8_t {
  kCopy,
  kDryRun,  // only finds out what kCopy would do
  kVerify,  // compares contents and attributes of what is there
};

// What becomes of a name that the volume has already, for something else. A folder is never replaced.
enum class OnConflict : uint8_t {
  kFail,       // reported as failed, and left alone
  kSkip,       // reported as skipped, and left alone
  kOverwrite,  // replaced
  kNewer,      // replaced when the source's mtime is later
  kRename,     // the source's gets another name: NAME.migrated, NAME.migrated-2 ...
};

struct SourceRoot {
  std::string path;  // absolute, without symlinks and "."
  std::string name;  // what it is called in Options::into; empty: what is in it goes there, and it itself does not
};

struct Options {
  std::vector<SourceRoot> sources;
  std::string into = "/";  // a path in the volume; folders that are missing are made
  Mode mode = Mode::kCopy;
  OnConflict on_conflict = OnConflict::kFail;
  bool one_file_system = false;  // folders on another one than their source's root are left out
  bool find_equal = true;        // equal contents are told, and share blocks where the volume's disk can do that
  bool count_first = false;      // for Progress::total_*: one more walk through the sources, beside the other
  Selection selection;
  // Folders that are never walked into: the volume's own, and where it is mounted.
  std::set<FileKey> never;
  std::set<std::string> never_paths;
  std::string journal;            // a file, for kCopy; its folder is there
  std::string boot;               // what the kernel calls this boot
  std::string report;             // a file for the list of all entries; empty: none
  uint64_t inline_max_bytes = 0;  // the volume's
  unsigned at_once = 8;           // folders, or batches of files, worked on at the same time
};

// All of it outlives the migration. `pool` is its own: a source may be a mount that this very process answers for.
struct Parts {
  vfs::Volume& volume;
  io::BlockingPool& pool;
  Clock& clock;
  std::vector<io::Reactor*> reactors;  // work is spread over these
};

// Set by the migration, except `stop`, which ends it soon: what is finished by then is not done again by the next.
struct Progress {
  std::atomic<uint64_t> files = 0, total_files = 0;
  std::atomic<uint64_t> bytes = 0, total_bytes = 0;
  io::CancelToken stop;
};

}  // namespace firn::migrate
