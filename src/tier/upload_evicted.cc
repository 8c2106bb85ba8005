// UploadPass: files whose bytes are not on the local disk.
#include <algorithm>

#include "tier/recorded_chunks.h"
#include "tier/upload_pass.h"

namespace firn::tier {

// It was pending where its backing was, and is now what had been uploaded of it, and what its journal has; or its
// policy is another.
io::Task<Result<void>> UploadPass::add_evicted(const meta::Attr& attr) {
  const uint64_t chunk_count = (attr.size + options_.chunk_bytes - 1) / options_.chunk_bytes;
  Journal journal;
  if (attr.content.journal_blocks > 0) journal = Journal(CO_TRY(co_await parts_.tiering.list_journal(attr.inode)));
  // Before a first version is whole, its chunks are recorded as they come, also while the file changes.
  const bool is_a_version = attr.content.uploaded_size.has_value();
  if (!is_a_version || !CO_TRY(co_await all_recorded(attr, journal))) {
    ++summary_.postponed;  // the rest of it is lost, unless the other place comes back
    co_return Result<void>();
  }
  files_.push_back({.inode = attr.inode,
                    .generation = attr.content.generation,
                    .chunk_count = chunk_count,
                    .bytes = attr.size,
                    .skip = attr.policy.skip,
                    .replaces = true,
                    .turn = {.end = chunk_count}});
  const size_t file = files_.size() - 1;
  co_return co_await add_all(file, add_evicted_chunks(file, journal));
}

io::Task<Result<bool>> UploadPass::all_recorded(const meta::Attr& attr, const Journal& journal) {
  RecordedChunks recorded(parts_.tiering, attr.inode);
  for (uint64_t offset = 0; offset < attr.size; offset += options_.chunk_bytes) {
    if (journal.touches(offset, options_.chunk_bytes)) continue;
    const meta::Chunk* const known = CO_TRY(co_await recorded.find(ChunkIndex(offset / options_.chunk_bytes)));
    if (known == nullptr || known->bytes != std::min(options_.chunk_bytes, attr.size - offset)) co_return false;
  }
  co_return true;
}

// What is in a blob that does not go where the file is to go comes from a tier, and is sent again.
io::Task<Result<void>> UploadPass::add_evicted_chunks(size_t file, const Journal& journal) {
  const InodeId inode = files_[file].inode;
  RecordedChunks recorded(parts_.tiering, inode);
  for (uint64_t index = 0; index < files_[file].chunk_count; ++index) {
    if (cancelled()) co_return fail(Code::kInterrupted, "the upload was stopped");
    if (nobody_answers()) co_return fail(Code::kUnavailable, "no tier answers");
    if (journal.touches(index * options_.chunk_bytes, options_.chunk_bytes)) {
      CO_TRY(co_await add_folded(file, ChunkIndex(index), journal));
      continue;
    }
    const meta::Chunk* const known = CO_TRY(co_await recorded.find(ChunkIndex(index)));
    if (known == nullptr) co_return fail(Code::kInterrupted, "the file has changed");
    const Reach reach = CO_TRY(co_await bring_to(file, known->blob));
    note_reach(file, reach);
    if (reach != Reach::kElsewhere) continue;
    std::string chunk = CO_TRY(co_await hydrator_.fetch(inode, *known, token_));
    CO_TRY(co_await add_chunk(file, ChunkIndex(index), std::move(chunk)));
  }
  co_return Result<void>();
}

// A chunk with what the journal lays over it.
io::Task<Result<void>> UploadPass::add_folded(size_t file, ChunkIndex index, const Journal& journal) {
  const uint64_t offset = index.value * options_.chunk_bytes;
  const uint64_t size = std::min<uint64_t>(options_.chunk_bytes, files_[file].bytes - offset);
  std::string chunk;
  if (!journal.covers(offset, size)) {
    const meta::Chunk record = CO_TRY(co_await hydrator_.record_of(files_[file].inode, index));
    CO_TRY(journal.base_bytes(offset, size, record.bytes));
    chunk = CO_TRY(co_await hydrator_.fetch(files_[file].inode, record, token_));
  }
  chunk.resize(size);
  journal.lay_over(offset, chunk);
  co_return co_await add_chunk(file, index, std::move(chunk));
}

}  // namespace firn::tier
