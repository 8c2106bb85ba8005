#include "vfs/fsck/fsck.h"

#include "meta/volume.h"
#include "vfs/fsck/census.h"

namespace firn::vfs {

using internal::Census;
using internal::Finding;
using internal::InodeFacts;

namespace {

void summarise(const Census& census, FsckReport& report) {
  report.names = census.names;
  report.inodes = census.inodes.size();
  report.open_at_crash = census.unfinished;
  for (const auto& [id, facts] : census.inodes) {
    if (facts.type == meta::FileType::kDirectory) ++report.directories;
    if (facts.content.live) ++report.open_at_crash;
    if (facts.orphan_record) ++report.orphans;
    report.allocated_bytes += facts.allocated_bytes;
  }
}

}  // namespace

io::Task<Result<FsckReport>> fsck(kv::Engine& engine, data::Store& store, FsckOptions options) {
  Census census;
  FsckReport report;
  census.clean_end = CO_TRY(co_await meta::was_clean(engine));
  CO_TRY(co_await internal::take_census(engine, options, census));
  internal::check_tree(census);
  internal::check_inodes(census);
  internal::check_counters(census);
  CO_TRY(co_await internal::check_backings(store, census, report));
  summarise(census, report);
  for (Finding& finding : census.findings)
    if (finding.problem.inode) finding.problem.path = census.path_of(finding.problem.inode);
  if (options.repair && !census.findings.empty()) CO_TRY(co_await internal::repair(engine, census));
  report.problems.reserve(census.findings.size());
  for (Finding& finding : census.findings) report.problems.push_back(std::move(finding.problem));
  co_return std::move(report);
}

}  // namespace firn::vfs
