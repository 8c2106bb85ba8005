// A folder that is being migrated.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "migrate/options.h"
#include "migrate/report.h"
#include "migrate/source.h"

namespace firn::migrate {

struct Folder {
  std::shared_ptr<Folder> parent;  // null: a source's root
  std::string path;                // absolute
  std::string below;               // of the source's root, for patterns; the root's is empty
  std::unique_ptr<SourceFolder> source;
  uint64_t device = 0;       // of the source's root
  InodeId target;            // 0: not there, in a dry run
  bool is_new = false;       // this run has made it: no name in it is taken
  bool included = false;     // Matched::in_included_folder, of what is in it
  bool keeps_times = false;  // the volume's gets the source's times when all is done
  // What becomes of it, which is told when all in it is done; nullopt: it is no entry of its own (a source whose
  // content goes into another folder).
  std::optional<Found> found;
  Status failure;  // of its listing or its times: it is counted as failed then, however it was placed
  // Folders and batches of files in it that are not done yet, and one for the listing itself.
  std::atomic<uint64_t> unfinished = 1;

  std::string path_of(const std::string& name) const { return path == "/" ? path + name : path + "/" + name; }
  std::string below_of(const std::string& name) const { return below.empty() ? name : below + "/" + name; }
};

}  // namespace firn::migrate
