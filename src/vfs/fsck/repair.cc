// Repairs: small transactions, each of which leaves the volume no worse when it is the last one that got through.
#include <algorithm>
#include <ranges>

#include "base/time.h"
#include "meta/keys.h"
#include "meta/records.h"
#include "meta/tiering_records.h"
#include "vfs/fsck/census.h"

namespace firn::vfs::internal {
namespace {

constexpr std::string_view kLostAndFound = "lost+found";

io::Task<Result<void>> apply_fixes(kv::Engine& engine, const std::vector<Fix>& fixes) {
  auto transaction = engine.begin();
  for (const Fix& fix : fixes) {
    if (fix.delta != 0) {
      transaction->add(fix.key, fix.delta);
    } else if (fix.value) {
      transaction->put(fix.key, *fix.value);
    } else {
      transaction->erase(fix.key);
    }
  }
  CO_TRY(co_await transaction->commit());
  co_return Result<void>();
}

// The inode of /lost+found, made when there is none.
io::Task<Result<InodeId>> lost_and_found(kv::Engine& engine, Census& census) {
  auto transaction = engine.begin();
  if (auto found = CO_TRY(co_await transaction->get(meta::dirent_key(kRootInode, kLostAndFound)))) {
    meta::Dirent dirent = CO_TRY(meta::decode_dirent(*found));
    if (dirent.type == meta::FileType::kDirectory) co_return dirent.inode;
    co_return fail(Code::kExists, "/lost+found is not a directory: move it out of the way and run fsck again");
  }
  auto next = CO_TRY(co_await transaction->get(meta::counter_key(meta::kNextInodeCounter)));
  uint64_t number = next ? CO_TRY(meta::decode_counter(*next)) : 2;
  for (const auto& [id, facts] : census.inodes) number = std::max(number, id.value + 1);
  meta::Inode folder;
  folder.attr.inode = InodeId(number);
  folder.attr.type = meta::FileType::kDirectory;
  folder.attr.mode = 0700;
  folder.attr.nlink = 2;
  folder.attr.parent = kRootInode;
  folder.attr.atime = folder.attr.mtime = folder.attr.ctime = folder.attr.btime = system_clock().now();
  transaction->put(meta::inode_key(folder.attr.inode), meta::encode_inode(folder));
  transaction->put(meta::dirent_key(kRootInode, kLostAndFound),
                   meta::encode_dirent({folder.attr.inode, meta::FileType::kDirectory}));
  transaction->put(meta::counter_key(meta::kNextInodeCounter), meta::encode_counter(number + 1));
  transaction->put(meta::counter_key(meta::kInodesCounter), meta::encode_counter(census.inodes.size() + 1));
  CO_TRY(co_await transaction->commit());
  InodeFacts& facts = census.inodes[folder.attr.inode];
  facts.type = meta::FileType::kDirectory;
  facts.nlink = 2;
  facts.names = 1;
  facts.named_in = facts.parent = kRootInode;
  facts.name = std::string(kLostAndFound);
  ++census.inodes[kRootInode].subdirectories;
  co_return folder.attr.inode;
}

io::Task<Result<void>> adopt(kv::Engine& engine, Census& census, Finding& finding, InodeId folder) {
  InodeFacts* facts = census.find(finding.problem.inode);
  const std::string name = "#" + std::to_string(finding.problem.inode.value);
  std::vector<Fix> fixes = finding.fixes;
  fixes.push_back(
      {meta::dirent_key(folder, name).str(), std::string(meta::encode_dirent({finding.problem.inode, facts->type}))});
  CO_TRY(co_await apply_fixes(engine, fixes));
  if (facts->type == meta::FileType::kDirectory) {
    if (facts->named_in) --census.inodes[facts->named_in].subdirectories;
    ++census.inodes[folder].subdirectories;
  }
  facts->names = std::max(facts->names, 1u);
  facts->named_in = folder;
  facts->name = name;
  finding.problem.repaired = true;
  co_return Result<void>();
}

// A new generation: of the present one, colder tiers were said to have everything.
void requeue(kv::Transaction& transaction, meta::Inode& inode) {
  meta::Content& content = inode.attr.content;
  content.uploaded_generation = std::min(content.uploaded_generation, content.generation);
  ++content.generation;
  const meta::Pending pending{inode.attr.inode, content.generation, system_clock().now()};
  transaction.put(meta::pending_key(inode.attr.inode), meta::encode_pending(pending));
}

// Sets everything in the inode's record that other records decide.
io::Task<Result<void>> rewrite_inode(kv::Engine& engine, InodeId id, const InodeFacts& facts) {
  auto transaction = engine.begin();
  auto bytes = CO_TRY(co_await transaction->get(meta::inode_key(id)));
  if (!bytes) co_return Result<void>();
  meta::Inode inode = CO_TRY(meta::decode_inode(id, *bytes));
  const bool directory = facts.type == meta::FileType::kDirectory;
  if (facts.names > 0 || id == kRootInode) inode.attr.nlink = directory ? 2 + facts.subdirectories : facts.names;
  if (id == kRootInode)
    inode.attr.parent = kRootInode;
  else if (facts.named_in)
    inode.name_it(facts.named_in, facts.name);
  inode.attr.xattr_count = facts.xattrs_found + facts.acl_count;
  if (facts.type == meta::FileType::kRegular) {
    inode.has_inline = facts.inline_found && !facts.content.settled;
    inode.attr.size = inode.has_inline && !facts.content.backing ? facts.inline_bytes : facts.size;
  }
  if (facts.requeue) requeue(*transaction, inode);
  transaction->put(meta::inode_key(id), meta::encode_inode(inode));
  CO_TRY(co_await transaction->commit());
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> repair(kv::Engine& engine, Census& census) {
  std::vector<InodeId> rewritten;
  const size_t count = census.findings.size();
  InodeId folder;
  for (size_t i = 0; i < count; ++i) {
    Finding& finding = census.findings[i];
    if (!finding.problem.repairable || finding.deep) continue;
    if (finding.adopt) {
      if (!folder) folder = CO_TRY(co_await lost_and_found(engine, census));
      CO_TRY(co_await adopt(engine, census, finding, folder));
      rewritten.insert(rewritten.end(), {folder, kRootInode, finding.problem.inode});
      continue;
    }
    if (!finding.fixes.empty()) CO_TRY(co_await apply_fixes(engine, finding.fixes));
    if (finding.problem.inode && census.find(finding.problem.inode)) rewritten.push_back(finding.problem.inode);
    finding.problem.repaired = true;
  }
  std::ranges::sort(rewritten);
  const auto duplicates = std::ranges::unique(rewritten);
  rewritten.erase(duplicates.begin(), duplicates.end());
  for (InodeId id : rewritten)
    if (InodeFacts* facts = census.find(id); facts && !facts->undecodable)
      CO_TRY(co_await rewrite_inode(engine, id, *facts));
  co_return co_await engine.sync(engine.last_version());
}

}  // namespace firn::vfs::internal
