// Records against backing files.
#include "vfs/fsck/census.h"

namespace firn::vfs::internal {
namespace {

io::Task<Result<void>> check_size(data::Store& store, Census& census, InodeId id, InodeFacts& facts) {
  Result<data::ObjectRef> object = co_await store.open(facts.content.backing);
  if (!object) {
    census.report(id, "its backing file cannot be opened: " + object.error().to_string());
    co_return Result<void>();
  }
  io::FileStat stat = CO_TRY(co_await (*object)->file().stat());
  if (facts.content.evicted) co_return Result<void>();  // it says nothing
  if (stat.bytes != facts.size && !census.clean_end) {
    ++census.unfinished;
  } else if (stat.bytes != facts.size) {
    census.report(id, "has size " + std::to_string(facts.size) + " but its backing file has " +
                          std::to_string(stat.bytes) + " bytes");
    census.findings.back().problem.repairable = true;
    facts.size = stat.bytes;
  }
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> check_backings(data::Store& store, Census& census, FsckReport& report) {
  std::vector<BackingId> files = CO_TRY(co_await store.list());
  std::unordered_set<BackingId> present(files.begin(), files.end());
  std::unordered_map<BackingId, InodeId> owners;
  for (auto& [id, facts] : census.inodes) {
    if (facts.undecodable || !facts.content.backing) continue;
    auto [owner, first] = owners.try_emplace(facts.content.backing, id);
    if (!first) census.report(id, "shares its backing file with inode " + std::to_string(owner->second.value));
    // Its bytes are in colder tiers only: check_tiers() sees whether they are all there.
    if (facts.content.evicted) continue;
    if (!present.contains(facts.content.backing)) {
      // An unsettled one is void after a power cut; the next mount goes back to the inline value.
      if (facts.content.settled) census.report(id, "its backing file is missing: the content is lost");
      continue;
    }
    if (facts.content.settled && !facts.content.live) CO_TRY(co_await check_size(store, census, id, facts));
  }
  report.backings = owners.size();
  for (BackingId file : files)
    if (!owners.contains(file)) ++report.scratch_files;
  co_return Result<void>();
}

}  // namespace firn::vfs::internal
