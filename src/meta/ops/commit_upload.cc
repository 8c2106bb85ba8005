#include "base/check.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/chunks.h"
#include "meta/ops/journal.h"
#include "meta/tiering_records.h"

namespace firn::meta {

namespace {

io::Task<Result<void>> record(Mutation& m, InodeId inode, const Chunk& chunk) {
  const Key key = chunk_key(inode, chunk.index);
  std::optional<Chunk> former;
  if (const auto stored = CO_TRY(co_await m.transaction().get(key, m.isolation())))
    former = CO_TRY(decode_chunk(chunk.index, *stored));
  if (former != chunk) put_chunk(m, inode, chunk.index, former, chunk);  // else a repetition
  co_return Result<void>();
}

// Another upload of the same version was faster. What this one has read since may be what an evictor left of it.
bool is_there(const Content& content, const Upload& upload) {
  return !content.live && content.generation == upload.generation && content.uploaded_generation == upload.generation;
}

io::Task<Result<bool>> attempt(Mutation& m, const Upload& upload) {
  co_await m.lock({upload.inode});
  const Result<Inode*> found = co_await m.inode(upload.inode);
  if (!found && found.error().code() == Code::kStale) co_return false;
  Inode* inode = CO_TRY(Result<Inode*>(found));
  Content& content = inode->attr.content;
  if (inode->attr.nlink == 0 && !upload.only_current) co_return false;  // its chunks go with it
  const bool changed = content.generation != content.uploaded_generation && !content.evicted;
  if (!content.settled || (changed && inode->attr.policy.skips_every_tier())) {
    // The content has moved inline, or tiers are not to have it.
    if (CO_TRY(co_await erase_chunks(m, upload.inode, ChunkIndex()))) m.transaction().erase(pending_key(upload.inode));
    content.uploaded_size.reset();
    m.update(inode);
    CO_TRY(co_await m.commit());
    co_return false;
  }
  if (upload.only_current && content.generation != upload.generation) co_return fail(Code::kBusy);
  if (is_there(content, upload)) co_return true;
  const bool current = content.generation == upload.generation && !content.live;
  if (upload.complete && upload.at_rest && !current) co_return fail(Code::kBusy);
  CO_TRY(co_await expect_blobs(m, upload.chunks));
  for (const Chunk& chunk : upload.chunks) CO_TRY(co_await record(m, upload.inode, chunk));
  for (size_t i = 0; i < upload.contents.size(); ++i)
    put_content(m, upload.inode, upload.chunks[i], upload.contents[i]);
  if (upload.complete) {
    const bool all = CO_TRY(co_await erase_chunks(m, upload.inode, ChunkIndex(upload.chunk_count)));
    content.uploaded_size = upload.bytes;
    ++content.uploaded_version;
    CO_TRY(co_await erase_journal(m, *inode));
    if (all && current && !upload.lagging) {
      content.uploaded_generation = upload.generation;
      m.transaction().erase(pending_key(upload.inode));
    }
    m.update(inode);
  }
  CO_TRY(co_await m.commit());
  co_return current;
}

}  // namespace

io::Task<Result<bool>> LocalService::commit_upload(const Upload& upload) {
  CHECK(upload.contents.empty() || upload.contents.size() == upload.chunks.size());
  return mutate(*core_, [&upload](Mutation& m) { return attempt(m, upload); });
}

}  // namespace firn::meta
