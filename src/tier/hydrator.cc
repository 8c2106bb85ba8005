#include "tier/hydrator.h"

#include <algorithm>

#include "base/checksum.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "tier/blob/frame.h"

namespace firn::tier {

namespace {

constexpr uint64_t kLargestBlock = 64 << 10;

Result<std::string> open_verified(std::string_view frame, InodeId inode, const meta::Chunk& chunk,
                                  const std::optional<Key>& volume_key) {
  std::optional<Key> key;
  if (volume_key) key = blob_key(*volume_key, blob_id_of_name(chunk.blob));
  std::string plain = TRY(open_frame(frame, {inode, chunk.index, chunk.version}, key));
  if (plain.size() != chunk.bytes || checksum64(plain) != chunk.checksum)
    return fail(Code::kCorrupt, "the chunk is another than its record says");
  return plain;
}

// What the store has is not what was put there; that it does not answer is another thing.
bool is_damage(Code code) { return code == Code::kCorrupt || code == Code::kNotFound || code == Code::kNotSupported; }

}  // namespace

io::Task<Result<std::string>> Hydrator::fetch_from(const Tier& tier, InodeId inode, const meta::Chunk& chunk,
                                                   io::CancelToken* token) {
  const object::Fetched got = CO_TRY(co_await tier.store.get(key_of(blob_id_of_name(chunk.blob)), chunk.offset,
                                                             chunk.frame_bytes, io::within(options_.get_ns, token)));
  co_return co_await parts_.pool.run([&] { return open_verified(got.bytes, inode, chunk, options_.key); });
}

io::Task<Result<std::string>> Hydrator::fetch(InodeId inode, meta::Chunk chunk, io::CancelToken* token) {
  const meta::Blob blob = CO_TRY(co_await parts_.tiering.get_blob(chunk.blob));
  co_await in_flight_.acquire();
  Result<std::string> bytes = co_await fetch_nearest(inode, chunk, blob.tiers, token);
  in_flight_.release();
  co_return bytes;
}

io::Task<Result<std::string>> Hydrator::fetch_nearest(InodeId inode, const meta::Chunk& chunk, uint32_t tiers,
                                                      io::CancelToken* token) {
  Status failure(Code::kCorrupt, "no tier has the chunk");
  bool some_do_not_answer = false;
  for (size_t i = 0; i < parts_.tiers.size(); ++i) {
    if ((tiers >> i & 1) == 0) continue;
    const Tier& tier = parts_.tiers[i];
    Result<std::string> bytes = co_await fetch_from(tier, inode, chunk, token);
    if (bytes) co_return bytes;
    const bool damaged = is_damage(bytes.error().code());
    if (damaged && options_.on_damage) options_.on_damage(tier.name, inode, chunk.index, bytes.error());
    // That a tier may answer later is the better news.
    if (!damaged || !some_do_not_answer) failure = std::move(bytes).error().with_context("tier " + tier.name);
    some_do_not_answer |= !damaged;
  }
  if (!some_do_not_answer) co_return fail(Code::kCorrupt, failure.message());
  co_return fail(std::move(failure));
}

io::Task<Result<void>> Hydrator::evict(InodeId inode, data::Object& backing) {
  const meta::Attr attr = CO_TRY(co_await parts_.tiering.mark_evicted(inode));
  // Were the record lost after the bytes, the file would be empty.
  CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
  if (attr.size == 0) co_return Result<void>();
  // Whole blocks, whatever the file system's: only those are given back.
  const uint64_t whole = (attr.size + kLargestBlock - 1) / kLargestBlock * kLargestBlock;
  co_return co_await backing.file().allocate(io::Allocate::kPunchHole, 0, whole);
}

io::Task<Result<meta::Chunk>> Hydrator::record_of(InodeId inode, ChunkIndex index) {
  std::vector<meta::Chunk> found = CO_TRY(co_await parts_.tiering.list_chunks(inode, index, 1));
  if (found.empty() || found[0].index != index)
    co_return fail(Code::kCorrupt, "inode " + std::to_string(inode.value) + " lacks the record of its chunk " +
                                       std::to_string(index.value));
  co_return std::move(found[0]);
}

io::Task<Result<void>> Hydrator::mark_resident(InodeId inode) {
  CO_TRY(co_await parts_.tiering.mark_resident(inode));
  co_return Result<void>();
}

}  // namespace firn::tier
