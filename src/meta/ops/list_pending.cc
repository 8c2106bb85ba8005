#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/tiering_records.h"

namespace firn::meta {

io::Task<Result<std::vector<Pending>>> LocalService::list_pending(InodeId after, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs =
      CO_TRY(co_await transaction->scan(inodes_after(Prefix::kPending, after), limit, kv::Isolation::kSnapshot));
  std::vector<Pending> pending;
  for (const kv::Pair& pair : pairs) {
    const InodeId inode = CO_TRY(inode_of_key(pair.key));
    pending.push_back(CO_TRY(decode_pending(inode, pair.value)));
  }
  co_return pending;
}

io::Task<Result<std::vector<Chunk>>> LocalService::list_chunks(InodeId inode, ChunkIndex first, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs = CO_TRY(co_await transaction->scan(chunks_from(inode, first), limit, kv::Isolation::kSnapshot));
  std::vector<Chunk> chunks;
  for (const kv::Pair& pair : pairs) {
    const ChunkIndex index = CO_TRY(chunk_of_key(pair.key));
    chunks.push_back(CO_TRY(decode_chunk(index, pair.value)));
  }
  co_return chunks;
}

io::Task<Result<std::vector<FileChunk>>> LocalService::list_all_chunks(InodeId inode, ChunkIndex first, size_t limit) {
  const auto transaction = core_->engine.begin();
  const auto pairs = CO_TRY(co_await transaction->scan(all_chunks_from(inode, first), limit, kv::Isolation::kSnapshot));
  std::vector<FileChunk> chunks;
  chunks.reserve(pairs.size());
  for (const kv::Pair& pair : pairs) chunks.push_back(CO_TRY(decode_file_chunk(pair)));
  co_return chunks;
}

}  // namespace firn::meta
