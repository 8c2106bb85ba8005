#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/mutation.h"
#include "meta/ops/chunks.h"
#include "meta/tiering_records.h"

namespace firn::meta {

namespace {

io::Task<Result<uint64_t>> attempt(Mutation& m, InodeId inode, const std::vector<ChunkMove>& moves) {
  co_await m.lock({inode});
  std::vector<Chunk> targets;
  for (const ChunkMove& move : moves) targets.push_back(move.to);
  CO_TRY(co_await expect_blobs(m, targets));
  uint64_t moved = 0;
  for (const ChunkMove& move : moves) {
    const Key key = chunk_key(inode, move.from.index);
    const auto stored = CO_TRY(co_await m.transaction().get(key, m.isolation()));
    if (!stored || !(CO_TRY(decode_chunk(move.from.index, *stored)) == move.from)) continue;
    put_chunk(m, inode, move.from.index, move.from, move.to);
    put_content(m, inode, move.to, move.content);
    ++moved;
  }
  if (moved > 0) CO_TRY(co_await m.commit());
  co_return moved;
}

}  // namespace

io::Task<Result<uint64_t>> LocalService::move_chunks(InodeId inode, std::vector<ChunkMove> moves) {
  for (const ChunkMove& move : moves)
    if (move.from.index != move.to.index) co_return fail(Code::kInvalid);
  co_return co_await mutate(*core_, [inode, &moves](Mutation& m) { return attempt(m, inode, moves); });
}

}  // namespace firn::meta
