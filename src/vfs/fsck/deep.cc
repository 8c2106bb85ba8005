// Colder tiers themselves: what is read there against what was put there.
#include <algorithm>

#include "base/hex.h"
#include "base/random.h"
#include "meta/local_service.h"
#include "tier/scrubber.h"
#include "tier/verify_all.h"
#include "vfs/fsck/census.h"

namespace firn::vfs::internal {
namespace {

// Nothing is cached, for nothing is asked twice.
meta::Options uncached(const FsckOptions& options) {
  return {.exclusive_owner = false, .hot_id = options.hot_id, .tiered = true};
}

io::Task<Result<tier::VerifyReport>> verify(kv::Engine& engine, const FsckOptions& options) {
  meta::LocalService service(engine, uncached(options));
  tier::VerifyOptions verify{.key = options.deep->key, .progress = nullptr};
  if (options.progress)
    verify.progress = [&options](uint64_t blobs) { options.progress("blobs in colder tiers", blobs); };
  co_return co_await tier::verify_all(service, options.deep->tiers, options.deep->pool, std::move(verify), nullptr);
}

std::string describe(const tier::VerifyProblem& problem) {
  std::string what = problem.tier.empty() ? "" : "tier " + problem.tier + ", ";
  what += "blob " + to_hex(problem.blob);
  if (problem.inode) what += ", chunk " + std::to_string(problem.chunk.value);
  return what + ": " + problem.what;
}

}  // namespace

io::Task<Result<void>> check_deep(kv::Engine& engine, const FsckOptions& options, Census& census, FsckReport& report) {
  const tier::VerifyReport found = CO_TRY(co_await verify(engine, options));
  report.deep_objects = found.objects;
  report.deep_frames = found.frames;
  report.deep_bytes = found.bytes;
  for (const tier::VerifyProblem& problem : found.problems) {
    census.report(problem.inode, describe(problem));
    census.findings.back().deep = true;
    census.findings.back().problem.repairable = problem.elsewhere;
  }
  co_return Result<void>();
}

io::Task<Result<void>> repair_deep(kv::Engine& engine, data::Store& store, const FsckOptions& options, Census& census) {
  if (std::ranges::none_of(census.findings, &Finding::deep)) co_return Result<void>();
  {
    meta::LocalService service(engine, uncached(options));
    tier::Scrubber scrubber({service, service, store, options.deep->pool, system_random(), options.deep->tiers},
                            {.chunk_bytes = census.chunk_bytes, .key = options.deep->key, .bytes_per_s = 0});
    std::string cursor;
    CO_TRY(co_await scrubber.scrub_cold(&cursor, nullptr));
    CO_TRY(co_await service.sync(service.last_version()));
  }
  // What is not found again has been mended, in whichever way.
  const tier::VerifyReport left = CO_TRY(co_await verify(engine, options));
  std::unordered_set<std::string> remaining;
  for (const tier::VerifyProblem& problem : left.problems) remaining.insert(describe(problem));
  for (Finding& finding : census.findings)
    if (finding.deep) finding.problem.repaired = !remaining.contains(finding.problem.what);
  co_return Result<void>();
}

}  // namespace firn::vfs::internal
