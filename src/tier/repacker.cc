#include "tier/repacker.h"

#include "base/failpoint.h"
#include "io/reactor.h"
#include "tier/blob_put.h"
#include "tier/recorded_chunk.h"

namespace firn::tier {

namespace {

constexpr size_t kMovesPerTransaction = 256;

meta::Chunk at_place_of(const meta::Chunk& place, meta::Chunk chunk) {
  chunk.blob = place.blob;
  chunk.offset = place.offset;
  chunk.frame_bytes = place.frame_bytes;
  chunk.blocks = place.blocks;
  return chunk;
}

std::vector<size_t> positions_of(uint32_t tiers) {
  std::vector<size_t> positions;
  for (size_t i = 0; i < kMaxTiers; ++i)
    if ((tiers >> i & 1) != 0) positions.push_back(i);
  return positions;
}

}  // namespace

io::Task<Result<void>> Repacker::add(InodeId inode, meta::Chunk chunk, std::string plain, const meta::Blob& former) {
  const uint32_t tiers = former.tiers & all_of(parts_.tiers), skip = former.skip, left = former.left;
  if (packing_ && (packing_->tiers != tiers || packing_->skip != skip || packing_->left != left ||
                   !packing_->writer.has_room_for(plain.size())))
    CO_TRY(co_await flush());
  if (!packing_) {
    packing_ = std::make_unique<Packing>(BlobWriter(BlobId::make(parts_.random), options_.codec, options_.key), tiers,
                                         skip, left);
    if (parts_.under_way != nullptr)
      packing_->held = BlobsUnderWay::Hold(*parts_.under_way, name_of(packing_->writer.id()));
  }
  BlobWriter& writer = packing_->writer;
  std::string content;
  const auto ref = co_await parts_.pool.run([&] {
    if (hasher_) content = hasher_->hash(plain, skip);
    return writer.append(frame_id(inode, chunk), plain);
  });
  if (!ref) {
    packing_.reset();
    co_return fail(ref.error());
  }
  const meta::Chunk place{
      .blob = name_of(writer.id()), .offset = ref->offset, .frame_bytes = ref->bytes, .blocks = ref->blocks};
  packing_->frames.emplace(std::pair(chunk.blob, chunk.offset), packing_->chunks.size());
  meta::Chunk moved = at_place_of(place, chunk);
  packing_->chunks.push_back({inode, {std::move(chunk), std::move(moved), std::move(content)}, ref->bytes});
  co_return Result<void>();
}

bool Repacker::share(InodeId inode, meta::Chunk chunk) {
  if (!packing_) return false;
  const auto found = packing_->frames.find(std::pair(chunk.blob, chunk.offset));
  if (found == packing_->frames.end()) return false;
  const meta::ChunkMove& first = packing_->chunks[found->second].move;
  meta::Chunk moved = at_place_of(first.to, chunk);
  packing_->chunks.push_back({inode, {std::move(chunk), std::move(moved), first.content}});
  return true;
}

io::Task<Result<void>> Repacker::flush() {
  const std::unique_ptr<Packing> packing = std::move(packing_);
  if (!packing) co_return Result<void>();
  CO_TRY(co_await put(*packing));
  co_return co_await move(*packing);
}

io::Task<Result<void>> Repacker::put(Packing& packing) {
  const std::string name = name_of(packing.writer.id());
  const std::string key = key_of(packing.writer.id());
  const object::Content content = packing.writer.finish();
  CO_TRY(co_await parts_.tiering.announce_blob(name, content.bytes(), packing.skip, packing.left));
  CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
  failpoint("repack.before_put");
  Result<void> done;
  BlobPut::Options options{.put_ns = options_.put_ns, .token = token_};
  options.on_first = [] { failpoint("repack.between_tiers"); };
  options.on_failure = [&](const BlobPut::Failure& failure) {
    if (done) done = fail(Status(failure.why).with_context("tier " + parts_.tiers[failure.tier].name));
  };
  BlobPut sending(parts_.tiers, key, content, std::move(options));
  const uint32_t arrived = co_await sending.to(positions_of(packing.tiers));
  failpoint("repack.after_put");
  CO_TRY(co_await parts_.tiering.confirm_blob(name, arrived));
  failpoint("repack.after_confirm");
  if (done) ++counts_.blobs;
  co_return done;
}

io::Task<Result<void>> Repacker::move(const Packing& packing) {
  for (size_t begin = 0; begin < packing.chunks.size();) {
    const InodeId inode = packing.chunks[begin].inode;
    std::vector<meta::ChunkMove> moves;
    size_t end = begin;
    uint64_t bytes = 0;
    for (; end < packing.chunks.size() && packing.chunks[end].inode == inode && moves.size() < kMovesPerTransaction;
         ++end) {
      moves.push_back(packing.chunks[end].move);
      bytes += packing.chunks[end].new_bytes;
    }
    counts_.chunks += CO_TRY(co_await parts_.tiering.move_chunks(inode, std::move(moves)));
    failpoint("repack.after_move");
    counts_.bytes += bytes;
    begin = end;
  }
  co_return Result<void>();
}

}  // namespace firn::tier
