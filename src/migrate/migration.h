// Migration: walks through its sources and puts what it finds into a volume.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "io/sync.h"
#include "migrate/folder.h"
#include "migrate/journal.h"
#include "migrate/options.h"
#include "migrate/placement.h"
#include "migrate/report.h"
#include "migrate/target.h"
#include "migrate/work_queue.h"

namespace firn::migrate {

struct Summary {
  Tally tally;
  bool stopped = false;    // by Progress::stop: there is more to do
  Status failure;          // what made it impossible to go on; what was done by then stays
  std::string excerpt;     // Report::excerpt()
  std::string not_shared;  // why not all equal contents share blocks; empty: they do
};

// A run of one. What it refers to outlives it.
//
// Invariants of what it leaves in the volume, whenever it ends:
//  1. A name that it made shows content and attributes of its source as they were, whole.
//  2. But a folder's times, which come last.
//  3. The next run with the same sources does again only what was not finished: what has a name is not made a second
//  time.
class Migration {
 public:
  Migration(Parts parts, Options options, Progress& progress);

  // Failures are of the beginning: nothing was copied. Durable once it returned, if nothing failed.
  io::Task<Result<Summary>> run();

 private:
  static constexpr size_t kBatch = 32;
  static constexpr int64_t kTickNs = 1'000'000'000;
  static constexpr int kTicksPerSync = 10;

  io::Task<Result<void>> begin();
  io::Task<Summary> end();
  io::Task<void> work(io::Reactor* reactor, io::Gate::Entry entry);
  io::Task<void> tick(io::Gate::Entry entry);
  io::Task<void> count(io::Gate::Entry entry);
  io::Task<Result<void>> save_list();
  io::Task<Result<void>> make_safe(bool ended);

  io::Task<void> perform(Work work);
  io::Task<void> open_folder(const Work& work);
  io::Task<void> enter_folder(const Work& work, std::shared_ptr<Folder> folder);
  io::Task<void> list_folder(std::shared_ptr<Folder> folder);
  io::Task<void> copy_files(std::shared_ptr<Folder> folder, std::vector<std::string> names);
  io::Task<void> copy_file(Folder& folder, SourceEntry entry);
  void push_names(const std::shared_ptr<Folder>& folder, std::vector<Name> names);
  // Of a folder in which nothing is left to do.
  void count_folder(Folder& folder);
  // One part of the folder is done.
  io::Task<void> finish_part(std::shared_ptr<Folder> folder);
  // The reason why a folder is not walked into; empty: it is.
  std::string reason_to_leave(const Folder& folder) const;
  // Counts a failure, and ends the migration where it is not one entry's.
  void note_failure(Found found, const Status& failure);
  // For the journal. Where they fail, the next run does again what it does not know of.
  Notes notes();
  io::Task<void> note(std::function<Status(Journal&)> write);
  bool stopped() const { return progress_.stop.cancelled(); }

  const Parts parts_;
  const Options options_;
  Progress& progress_;
  Report report_;
  Target target_;
  std::optional<Placement> placement_;
  std::optional<Journal> journal_;
  io::Mutex journal_mutex_;  // for journal_ once there are workers; held across awaits
  io::UniqueFd list_;
  InodeId into_;
  WorkQueue queue_;
  io::Gate workers_, helpers_;
  io::CancelToken ended_;
  std::mutex failure_mutex_;  // guards failure_
  Status failure_;
};

}  // namespace firn::migrate
