// The collector's other half: what is still needed of mostly dead blobs moves into new ones, which leaves them dead.
#include <algorithm>
#include <bit>
#include <tuple>

#include "io/reactor.h"
#include "tier/blob_check.h"
#include "tier/collect_pass.h"
#include "tier/recorded_chunk.h"

namespace firn::tier {

namespace {

// What one request reads: up to this much, and over gaps (dead frames) of up to that.
constexpr uint64_t kRunBytes = 8 << 20;
constexpr uint64_t kGapBytes = 256 << 10;
constexpr uint64_t kSmallestBlobBytes = kBlobHeaderBytes + kFrameHeaderBytes + kIndexEntryBytes + kBlobFooterBytes;

// 1 when every frame is, however small they are.
double live_fraction(const meta::BlobCount& count) {
  const uint64_t live = count.referenced_bytes + count.references * kIndexEntryBytes;
  return static_cast<double>(live) / static_cast<double>(count.blob.bytes - kBlobHeaderBytes - kBlobFooterBytes);
}

// The nearest tier that has it.
size_t first_of(uint32_t tiers) { return static_cast<size_t>(std::countr_zero(tiers)); }

uint64_t end_of(const meta::Chunk& chunk) { return chunk.offset + chunk.frame_bytes; }

}  // namespace

bool CollectPass::is_candidate(const meta::BlobCount& count) const {
  const meta::Blob& blob = count.blob;
  const uint32_t known = blob.tiers & all_of(parts_.tiers);
  return known != 0 && blob.bytes >= std::max<uint64_t>(options_.repack_min_bytes, kSmallestBlobBytes) &&
         live_fraction(count) < options_.repack_below && is_past(blob.since, options_.grace_ns);
}

io::Task<Result<void>> CollectPass::repack_candidates() {
  std::ranges::sort(candidates_, {}, [](const meta::BlobCount& one) {
    return std::tuple(one.blob.tiers, one.blob.skip, live_fraction(one), std::string_view(one.blob.name));
  });
  uint64_t bytes = 0;
  for (const meta::BlobCount& one : candidates_) {
    if (cancelled() || bytes + one.referenced_bytes > options_.max_repacked_bytes) break;
    bytes += one.referenced_bytes;
    Result<void> done;
    if (!options_.dry_run) done = co_await repack(one.blob);
    if (!done) {
      ++summary_.failed;
      note_failure(std::move(done).error());
      continue;
    }
    progress("repacking", ++summary_.repacked);
  }
  if (options_.dry_run) {
    summary_.moved_bytes = bytes;
    co_return Result<void>();
  }
  if (Result<void> flushed = co_await repacker_.flush(); !flushed) {
    ++summary_.failed;
    note_failure(std::move(flushed).error());
  }
  summary_.moved_chunks = repacker_.counts().chunks;
  summary_.moved_bytes = repacker_.counts().bytes;
  co_return Result<void>();
}

io::Task<Result<void>> CollectPass::repack(const meta::Blob& blob) {
  const uint32_t known = blob.tiers & all_of(parts_.tiers);
  std::vector<LiveFrame> frames;
  Result<void> found = fail(Code::kInternal);
  for (size_t i = first_of(known); i < parts_.tiers.size() && !found; ++i) {
    if ((known >> i & 1) == 0) continue;
    Result<std::vector<LiveFrame>> live = co_await live_frames(blob, parts_.tiers[i]);
    if (live) {
      frames = *std::move(live);
      found = Result<void>();
    } else {
      found = fail(std::move(live).error().with_context("tier " + parts_.tiers[i].name));
    }
  }
  CO_TRY(std::move(found));
  for (size_t begin = 0; begin < frames.size();) {
    if (cancelled()) co_return fail(Code::kInterrupted);
    const auto [end, end_offset] = run_of(frames, begin);
    CO_TRY(co_await repack_run(blob, std::span(frames).subspan(begin, end - begin), end_offset));
    begin = end;
  }
  co_return Result<void>();
}

io::Task<Result<std::vector<CollectPass::LiveFrame>>> CollectPass::live_frames(const meta::Blob& blob,
                                                                               const Tier& tier) {
  const auto index =
      CO_TRY(co_await read_index(tier.store, blob_id_of_name(blob.name), blob.bytes, options_.get_ns, token_));
  std::vector<LiveFrame> live;
  for (const IndexEntry& entry : index) {
    const FrameId& id = entry.header.id;
    std::vector<meta::Chunk> recorded = CO_TRY(co_await parts_.tiering.list_chunks(id.inode, id.chunk, 1));
    if (recorded.empty()) continue;
    meta::Chunk& chunk = recorded.front();
    if (chunk.index == id.chunk && chunk.version == id.version && chunk.blob == blob.name &&
        chunk.offset == entry.offset)
      live.push_back({id.inode, std::move(chunk)});
  }
  co_return live;
}

std::pair<size_t, uint64_t> CollectPass::run_of(std::span<const LiveFrame> frames, size_t begin) {
  size_t end = begin + 1;
  uint64_t end_offset = end_of(frames[begin].chunk);
  for (; end < frames.size(); ++end) {
    const meta::Chunk& next = frames[end].chunk;
    if (next.offset - end_offset > kGapBytes || end_of(next) - frames[begin].chunk.offset > kRunBytes) break;
    end_offset = end_of(next);
  }
  return {end, end_offset};
}

io::Task<Result<void>> CollectPass::repack_run(const meta::Blob& blob, std::span<const LiveFrame> frames,
                                               uint64_t end_offset) {
  const uint32_t tiers = blob.tiers & all_of(parts_.tiers);
  const BlobId id = blob_id_of_name(blob.name);
  const uint64_t begin = frames.front().chunk.offset;
  const auto got = co_await parts_.tiers[first_of(tiers)].store.get(key_of(id), begin, end_offset - begin,
                                                                    io::within(options_.get_ns, token_));
  const std::string_view run = got ? std::string_view(got->bytes) : std::string_view();
  for (const LiveFrame& frame : frames) {
    const std::string_view bytes =
        run.substr(std::min<uint64_t>(frame.chunk.offset - begin, run.size()), frame.chunk.frame_bytes);
    Result<std::string> plain =
        co_await parts_.pool.run([&] { return open_recorded(bytes, frame.inode, frame.chunk, options_.key); });
    // Whatever is wrong with it there, another tier may have it.
    if (!plain) plain = co_await hydrator_.fetch(frame.inode, frame.chunk, token_);
    if (!plain) co_return fail(std::move(plain).error());
    CO_TRY(co_await repacker_.add(frame.inode, frame.chunk, *std::move(plain), blob));
  }
  co_return Result<void>();
}

}  // namespace firn::tier
