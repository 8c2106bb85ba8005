#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/records.h"

namespace firn::meta {

namespace {

// The entries that the inode cache does not know, filled by one read.
struct Missing {
  std::vector<size_t> positions;
  std::vector<std::string> keys;
  std::vector<InodeCache::Cache::Ticket> tickets;
};

Missing fill_from_cache(Core& core, std::vector<DirEntry>& entries) {
  Missing missing;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (const auto cached = core.inodes.find(entries[i].inode)) {
      entries[i].attr = cached->attr;
      continue;
    }
    missing.positions.push_back(i);
    missing.keys.push_back(inode_key(entries[i].inode).str());
    missing.tickets.push_back(core.inodes.ticket(entries[i].inode));
  }
  return missing;
}

io::Task<Result<void>> fill_attributes(Core& core, std::vector<DirEntry>& entries) {
  Missing missing = fill_from_cache(core, entries);
  if (missing.keys.empty()) co_return {};
  // A snapshot of its own, younger than the tickets.
  const auto transaction = core.engine.begin();
  const auto stored = CO_TRY(co_await transaction->multi_get(std::move(missing.keys), kv::Isolation::kSnapshot));
  for (size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i]) continue;
    DirEntry& entry = entries[missing.positions[i]];
    Inode inode = CO_TRY(decode_inode(entry.inode, *stored[i]));
    forget_foreign_backing(inode, core.options.hot_id, core.options.journals_inline);
    core.inodes.fill(inode, missing.tickets[i]);
    entry.attr = inode.attr;
  }
  co_return {};
}

Result<std::vector<DirEntry>> decode_entries(const std::vector<kv::Pair>& pairs) {
  std::vector<DirEntry> entries(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Dirent dirent = TRY(decode_dirent(pairs[i].value));
    entries[i].name = TRY(name_of_key(pairs[i].key));
    entries[i].inode = dirent.inode;
    entries[i].type = dirent.type;
  }
  return entries;
}

}  // namespace

io::Task<Result<std::vector<DirEntry>>> LocalService::readdir(InodeId directory, std::string_view after,
                                                              ReaddirOptions options) {
  const Inode found = CO_TRY(co_await core_->read_inode(directory));
  if (!found.is_directory()) co_return fail(Code::kNotDirectory);
  const auto transaction = core_->engine.begin();
  const auto pairs = CO_TRY(co_await transaction->scan(names_after(Prefix::kDirent, directory, after), options.limit,
                                                       kv::Isolation::kSnapshot));
  std::vector<DirEntry> entries = CO_TRY(decode_entries(pairs));
  if (options.attributes) CO_TRY(co_await fill_attributes(*core_, entries));
  co_return entries;
}

}  // namespace firn::meta
