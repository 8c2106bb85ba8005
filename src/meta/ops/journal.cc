#include "meta/ops/journal.h"

#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/apply_update.h"
#include "meta/ops/chunks.h"

namespace firn::meta {

namespace {

constexpr size_t kPage = 1024;  // more than a file has, usually

io::Task<Result<Attr>> attempt(Mutation& m, InodeId id, const std::vector<JournalBlock>& blocks,
                               const ContentUpdate& update) {
  co_await m.lock({id});
  Inode* inode = CO_TRY(co_await m.inode(id));
  Attr& attr = inode->attr;
  if (!attr.content.settled || attr.content.evicted) co_return fail(Code::kBusy);
  for (const JournalBlock& block : blocks) m.transaction().put(journal_key(id, block.index), block.bytes);
  apply_sizes(update, attr);
  apply_times(update, attr);
  attr.content.journal_blocks += static_cast<uint32_t>(blocks.size());
  attr.content.uploaded_size = attr.size;
  ++attr.content.uploaded_version;
  CO_TRY(co_await mark_pending(m, *inode));
  m.update(inode);
  m.note({.kind = EventKind::kContent, .inode = inode});
  CO_TRY(co_await m.commit());
  co_return attr;
}

}  // namespace

io::Task<Result<void>> erase_journal(Mutation& m, Inode& inode) {
  if (inode.attr.content.journal_blocks == 0) co_return Result<void>();
  for (kv::Range range = journal_of(inode.attr.inode);;) {
    const auto pairs = CO_TRY(co_await m.transaction().scan(range, kPage, m.isolation()));
    for (const kv::Pair& pair : pairs) m.transaction().erase(pair.key);
    if (pairs.size() < kPage) break;
    range.begin = pairs.back().key + '\0';
  }
  inode.attr.content.journal_blocks = 0;
  co_return Result<void>();
}

io::Task<Result<void>> move_inline_to_journal(Mutation& m, Inode& inode) {
  const InodeId id = inode.attr.inode;
  const auto stored = CO_TRY(co_await m.transaction().get(inline_key(id), m.isolation()));
  if (!stored) co_return Result<void>();
  const std::string_view content = *stored;
  uint32_t blocks = 0;
  for (uint64_t offset = 0; offset < content.size(); offset += kJournalBlockBytes, ++blocks)
    m.transaction().put(journal_key(id, blocks), content.substr(offset, kJournalBlockBytes));
  inode.attr.content.journal_blocks = blocks;
  inode.attr.content.uploaded_size = content.size();
  ++inode.attr.content.uploaded_version;
  co_return Result<void>();
}

io::Task<Result<Attr>> LocalService::commit_journal(InodeId inode, const std::vector<JournalBlock>& blocks,
                                                    const ContentUpdate& update) {
  return mutate(*core_, [inode, &blocks, &update](Mutation& m) { return attempt(m, inode, blocks, update); });
}

io::Task<Result<std::vector<JournalBlock>>> LocalService::list_journal(InodeId inode) {
  const auto transaction = core_->engine.begin();
  std::vector<JournalBlock> blocks;
  for (kv::Range range = journal_of(inode);;) {
    const auto pairs = CO_TRY(co_await transaction->scan(range, kPage, kv::Isolation::kSnapshot));
    for (const kv::Pair& pair : pairs) {
      const uint64_t index = CO_TRY(block_of_journal_key(pair.key));
      if (pair.value.empty() || pair.value.size() > kJournalBlockBytes || index > UINT64_MAX / kJournalBlockBytes)
        co_return fail(Code::kCorrupt,
                       "a block of the journal of inode " + std::to_string(inode.value) + " is malformed");
      blocks.push_back({index, pair.value});
    }
    if (pairs.size() < kPage) co_return blocks;
    range.begin = pairs.back().key + '\0';
  }
}

}  // namespace firn::meta
