#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/chunks.h"
#include "meta/tiering_records.h"

namespace firn::meta {

namespace {

io::Task<Result<uint64_t>> attempt(Mutation& m, InodeId id, const std::vector<Chunk>& chunks) {
  co_await m.lock({id});
  const Result<Inode*> found = co_await m.inode(id);
  if (!found && found.error().code() == Code::kStale) co_return 0;  // gone, and its chunks with it
  Inode* inode = CO_TRY(Result<Inode*>(found));
  if (inode->attr.content.evicted) co_return fail(Code::kBusy, "the file is in colder tiers only");
  uint64_t lost = 0;
  for (const Chunk& chunk : chunks) {
    const Key key = chunk_key(id, chunk.index);
    const auto stored = CO_TRY(co_await m.transaction().get(key, m.isolation()));
    if (!stored || !(CO_TRY(decode_chunk(chunk.index, *stored)) == chunk)) continue;
    put_chunk(m, id, chunk.index, chunk, std::nullopt);
    ++lost;
  }
  if (lost == 0) co_return lost;
  // A new generation even for a file that is pending: an upload that is under way believes that tiers have them.
  CO_TRY(co_await mark_pending(m, *inode));
  m.update(inode);
  CO_TRY(co_await m.commit());
  co_return lost;
}

}  // namespace

io::Task<Result<uint64_t>> LocalService::lose_chunks(InodeId inode, std::vector<Chunk> chunks) {
  co_return co_await mutate(*core_, [inode, &chunks](Mutation& m) { return attempt(m, inode, chunks); });
}

}  // namespace firn::meta
