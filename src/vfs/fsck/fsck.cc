#include "vfs/fsck/fsck.h"

#include "meta/event_log.h"
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
    if (facts.pending_record) ++report.pending;
    if (facts.content.evicted) ++report.evicted;
    report.allocated_bytes += facts.allocated_bytes;
  }
  report.chunks = census.chunks;
  for (const auto& [name, blob] : census.blobs)
    if (blob.recorded) ++report.blobs;
}

}  // namespace

io::Task<Result<FsckReport>> fsck(kv::Engine& engine, data::Store& store, FsckOptions options) {
  Census census;
  FsckReport report;
  census.hot_id = options.hot_id;
  census.clean_end = CO_TRY(co_await meta::was_clean(engine));
  census.chunk_bytes = CO_TRY(co_await meta::load_volume(engine)).chunk_bytes;
  CO_TRY(co_await internal::take_census(engine, options, census));
  CO_TRY(co_await internal::take_tier_census(engine, options, census));
  internal::check_tree(census);
  internal::check_inodes(census);
  internal::check_counters(census);
  internal::check_tiers(census);
  CO_TRY(co_await internal::check_backings(store, census, report));
  if (options.deep) CO_TRY(co_await internal::check_deep(engine, options, census, report));
  summarise(census, report);
  for (Finding& finding : census.findings)
    if (finding.problem.inode) finding.problem.path = census.path_of(finding.problem.inode);
  if (options.repair && !census.findings.empty()) {
    CO_TRY(co_await internal::repair(engine, census));
    if (options.deep) CO_TRY(co_await internal::repair_deep(engine, store, options, census));
    // Nobody logged these changes.
    CO_TRY(co_await meta::EventLog::forget(engine));
  }
  report.problems.reserve(census.findings.size());
  for (Finding& finding : census.findings) report.problems.push_back(std::move(finding.problem));
  co_return std::move(report);
}

}  // namespace firn::vfs
