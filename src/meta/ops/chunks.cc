#include "meta/ops/chunks.h"

#include "meta/keys.h"
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

}  // namespace firn::meta
