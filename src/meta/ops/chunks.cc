#include "meta/ops/chunks.h"

#include "meta/keys.h"
#include "meta/ops/blobs.h"
#include "meta/tiering_records.h"

namespace firn::meta {

io::Task<Result<bool>> erase_chunks(Mutation& m, InodeId inode, ChunkIndex first) {
  const auto pairs =
      CO_TRY(co_await m.transaction().scan(chunks_from(inode, first), kChunksPerTransaction, m.isolation()));
  for (const kv::Pair& pair : pairs) {
    const Chunk chunk = CO_TRY(decode_chunk(ChunkIndex(), pair.value));
    m.transaction().erase(pair.key);
    m.transaction().add(blob_live_key(chunk.blob), -int64_t{chunk.frame_bytes});
  }
  co_return pairs.size() < kChunksPerTransaction;
}

void put_chunk(Mutation& m, InodeId inode, ChunkIndex index, const std::optional<Chunk>& former,
               const std::optional<Chunk>& chunk) {
  kv::Transaction& transaction = m.transaction();
  const Key key = chunk_key(inode, index);
  if (former) transaction.add(blob_live_key(former->blob), -int64_t{former->frame_bytes});
  if (chunk) {
    transaction.add(blob_live_key(chunk->blob), int64_t{chunk->frame_bytes});
    transaction.put(key, encode_chunk(*chunk));
  } else {
    transaction.erase(key);
  }
}

void put_content(Mutation& m, InodeId inode, const Chunk& chunk, std::string_view hash) {
  if (hash.empty()) return;
  Chunk frame = chunk;
  frame.origin = origin_of(inode, chunk);
  frame.index = ChunkIndex();
  frame.version = 0;
  m.transaction().put(content_key(hash), encode_content(frame));
}

io::Task<Result<void>> expect_blobs(Mutation& m, const std::vector<Chunk>& chunks) {
  std::string_view last;
  for (const Chunk& chunk : chunks) {
    if (chunk.blob == last) continue;
    last = chunk.blob;
    const Key key = blob_key(chunk.blob);
    // No inode's lock keeps the collector off: this read must conflict, whoever owns the engine.
    const auto stored = CO_TRY(co_await m.transaction().get(key, kv::Isolation::kSerializable));
    if (!stored) co_return fail(Code::kStale, "the blob was given up, and removed, before its chunks were recorded");
    if (!takes_chunks(CO_TRY(decode_blob(chunk.blob, *stored))))
      co_return fail(Code::kStale, "the blob was given up before its chunks were recorded");
  }
  co_return Result<void>();
}

io::Task<Result<bool>> concerns_tiers(Mutation& m, const Inode& inode) {
  if (!inode.attr.policy.skips_every_tier()) co_return true;
  if (inode.attr.content.evicted) co_return false;
  const kv::Range chunks = chunks_from(inode.attr.inode, ChunkIndex());
  co_return !CO_TRY(co_await m.transaction().scan(chunks, 1, m.isolation())).empty();
}

io::Task<Result<void>> mark_pending(Mutation& m, Inode& inode) {
  const InodeId id = inode.attr.inode;
  Content& content = inode.attr.content;
  Pending pending{id, content.generation + 1, m.now()};
  // What has been waiting goes on waiting since then.
  const Key key = pending_key(id);
  std::optional<std::string> waiting;
  if (content.generation != content.uploaded_generation) {
    waiting = CO_TRY(co_await m.transaction().get(key, m.isolation()));
    if (waiting) pending.since = CO_TRY(decode_pending(id, *waiting)).since;
  }
  content.generation = pending.generation;
  if (CO_TRY(co_await concerns_tiers(m, inode)))
    m.transaction().put(key, encode_pending(pending));
  else if (waiting)
    m.transaction().erase(key);
  co_return Result<void>();
}

}  // namespace firn::meta
