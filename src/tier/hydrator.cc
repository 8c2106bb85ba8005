#include "tier/hydrator.h"

#include <algorithm>

#include "base/checksum.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "tier/blob/frame.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 256;  // chunk records read at once
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

// One file on its way back.
struct Hydrator::Restoring {
  Restoring(InodeId id, data::Object& object, io::CancelToken* stop, size_t at_once)
      : inode(id), backing(object), token(stop), in_flight(at_once) {}
  const InodeId inode;
  data::Object& backing;
  io::CancelToken* const token;
  io::Semaphore in_flight;
  io::Gate gate;
  Result<void> done;
};

io::Task<Result<std::string>> Hydrator::fetch_from(const Tier& tier, InodeId inode, const meta::Chunk& chunk,
                                                   io::CancelToken* token) {
  const object::Fetched got = CO_TRY(co_await tier.store.get(key_of(blob_id_of_name(chunk.blob)), chunk.offset,
                                                             chunk.frame_bytes, io::within(options_.get_ns, token)));
  co_return co_await parts_.pool.run([&] { return open_verified(got.bytes, inode, chunk, options_.key); });
}

io::Task<Result<std::string>> Hydrator::fetch(InodeId inode, meta::Chunk chunk, io::CancelToken* token) {
  const meta::Blob blob = CO_TRY(co_await parts_.tiering.get_blob(chunk.blob));
  Status failure(Code::kCorrupt, "no tier has the chunk");
  bool some_do_not_answer = false;
  for (size_t i = 0; i < parts_.tiers.size(); ++i) {
    if ((blob.tiers >> i & 1) == 0) continue;
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

io::Task<void> Hydrator::restore_chunk(Restoring* restoring, meta::Chunk chunk) {
  const io::Gate::Entry entry = restoring->gate.enter();
  const uint64_t offset = chunk.index.value * options_.chunk_bytes;
  Result<std::string> bytes = co_await fetch(restoring->inode, chunk, restoring->token);
  Result<void> done;
  if (!bytes)
    done = fail(std::move(bytes).error());
  else
    done = co_await restoring->backing.file().write(offset, std::as_bytes(std::span(*bytes)));
  if (!done && restoring->done) restoring->done = std::move(done);
  restoring->in_flight.release();
}

io::Task<Result<void>> Hydrator::restore(InodeId inode, data::Object& backing, io::CancelToken* token) {
  const meta::Attr attr = CO_TRY(co_await parts_.meta.getattr(inode));
  Restoring restoring(inode, backing, token, options_.chunks_in_flight);
  Result<void> listed;
  uint64_t found = 0;
  for (ChunkIndex next;;) {
    Result<std::vector<meta::Chunk>> page = co_await parts_.tiering.list_chunks(inode, next, kPage);
    if (!page) {
      listed = fail(std::move(page).error());
      break;
    }
    found += page->size();
    for (meta::Chunk& chunk : *page) {
      co_await restoring.in_flight.acquire();
      if (!restoring.done) {
        restoring.in_flight.release();
        break;
      }
      io::detach(restore_chunk(&restoring, std::move(chunk)));
    }
    if (page->size() < kPage || !restoring.done) break;
    next = ChunkIndex(page->back().index.value + 1);
  }
  co_await restoring.gate.close();
  CO_TRY(std::move(listed));
  CO_TRY(std::move(restoring.done));
  if (found != (attr.size + options_.chunk_bytes - 1) / options_.chunk_bytes)
    co_return fail(Code::kCorrupt, "inode " + std::to_string(inode.value) + " lacks records of some of its chunks");
  CO_TRY(co_await backing.file().sync(/*data_only=*/true));
  CO_TRY(co_await parts_.tiering.mark_resident(inode));
  co_return Result<void>();
}

}  // namespace firn::tier
