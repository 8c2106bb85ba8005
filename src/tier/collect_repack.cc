// The collector's other half: what is still needed of mostly dead blobs moves into new ones, which leaves them dead.
#include <algorithm>
#include <array>
#include <ranges>
#include <tuple>

#include "io/reactor.h"
#include "tier/collect_pass.h"
#include "tier/recorded_chunk.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 1024;  // chunk records read at once

// What one request reads: up to this much, and over gaps (dead frames) of up to that.
constexpr uint64_t kRunBytes = 8 << 20;
constexpr uint64_t kGapBytes = 256 << 10;
constexpr uint64_t kSmallestBlobBytes = kBlobHeaderBytes + kFrameHeaderBytes + kIndexEntryBytes + kBlobFooterBytes;

// What one walk over the chunk records remembers, about 400 bytes each.
constexpr uint64_t kReferencesPerWalk = 1 << 17;

// 1 when every frame is live, however small they are.
double live_fraction(const meta::Blob& blob, uint64_t frames, uint64_t frame_bytes) {
  const uint64_t live = frame_bytes + frames * kIndexEntryBytes;
  return static_cast<double>(live) / static_cast<double>(blob.bytes - kBlobHeaderBytes - kBlobFooterBytes);
}

// What is live for certain: of chunks that share frames it does not say how many frames they are.
uint64_t least_live_bytes(const meta::BlobCount& count) { return count.referenced_bytes - count.shared_bytes; }
double least_live_fraction(const meta::BlobCount& count) {
  return live_fraction(count.blob, count.references - count.shared_references, least_live_bytes(count));
}

uint64_t end_of(const meta::Chunk& chunk) { return chunk.offset + chunk.frame_bytes; }

}  // namespace

bool CollectPass::is_candidate(const meta::BlobCount& count) const {
  const meta::Blob& blob = count.blob;
  // Not one that some tier lacks: an uploader that copies it there believes its chunks to be everywhere then, and must
  // not find them moved to a blob that is not.
  const uint32_t wanted = wanted_of(parts_.tiers, blob.skip);
  return blob.tiers != 0 && (wanted & ~(blob.tiers | blob.left)) == 0 &&
         blob.bytes >= std::max<uint64_t>(options_.repack_min_bytes, kSmallestBlobBytes) &&
         least_live_fraction(count) < options_.repack_below && is_past(blob.since, options_.grace_ns);
}

io::Task<Result<void>> CollectPass::repack_candidates() {
  std::ranges::sort(candidates_, {}, [](const meta::BlobCount& one) {
    return std::tuple(one.blob.tiers, one.blob.skip, one.blob.left, least_live_fraction(one),
                      std::string_view(one.blob.name));
  });
  bool go_on = true;
  for (size_t begin = 0; begin < candidates_.size() && go_on && !cancelled();) {
    const size_t end = group_of(begin);
    FramesOfBlobs frames = CO_TRY(co_await live_frames(std::span(candidates_).subspan(begin, end - begin)));
    for (; begin < end && go_on && !cancelled(); ++begin) {
      const meta::Blob& blob = candidates_[begin].blob;
      go_on = co_await repack_candidate(blob, std::move(frames[blob.name]));
    }
  }
  if (options_.dry_run) {
    summary_.moved_bytes = repacked_bytes_;
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

size_t CollectPass::group_of(size_t begin) const {
  uint64_t references = 0, bytes = repacked_bytes_;
  size_t end = begin;
  do {
    references += candidates_[end].references;
    bytes += least_live_bytes(candidates_[end]);
    ++end;
  } while (end < candidates_.size() && references + candidates_[end].references <= kReferencesPerWalk &&
           bytes <= options_.max_repacked_bytes);
  return end;
}

io::Task<Result<CollectPass::FramesOfBlobs>> CollectPass::live_frames(std::span<const meta::BlobCount> candidates) {
  FramesOfBlobs frames;
  for (const meta::BlobCount& one : candidates) frames[one.blob.name];
  InodeId inode;
  ChunkIndex index;
  for (;;) {
    std::vector<meta::FileChunk> page = CO_TRY(co_await parts_.tiering.list_all_chunks(inode, index, kPage));
    if (page.empty()) break;
    inode = page.back().inode;
    index = ChunkIndex(page.back().chunk.index.value + 1);
    const bool last = page.size() < kPage;
    for (meta::FileChunk& one : page) {
      const auto blob = frames.find(one.chunk.blob);
      if (blob != frames.end()) blob->second[one.chunk.offset].push_back(std::move(one));
    }
    if (last || cancelled()) break;
    co_await io::stand_back();
  }
  co_return frames;
}

io::Task<bool> CollectPass::repack_candidate(const meta::Blob& blob, LiveFrames frames) {
  uint64_t bytes = 0;
  for (const auto& [offset, frame] : frames) bytes += frame.front().chunk.frame_bytes;
  // What was certain of it was less than what there is.
  if (live_fraction(blob, frames.size(), bytes) >= options_.repack_below) co_return true;
  if (repacked_bytes_ + bytes > options_.max_repacked_bytes) co_return false;
  repacked_bytes_ += bytes;
  Result<void> done;
  if (!options_.dry_run) {
    std::vector<LiveFrame> in_order;
    for (auto& [offset, frame] : frames) in_order.push_back(std::move(frame));
    done = co_await repack(blob, std::move(in_order));
  }
  if (!done) {
    ++summary_.failed;
    note_failure(std::move(done).error());
  } else {
    progress("repacking", ++summary_.repacked);
  }
  co_return true;
}

io::Task<Result<void>> CollectPass::repack(const meta::Blob& blob, std::vector<LiveFrame> frames) {
  for (size_t begin = 0; begin < frames.size();) {
    if (cancelled()) co_return fail(Code::kInterrupted);
    const auto [end, end_offset] = run_of(frames, begin);
    CO_TRY(co_await repack_run(blob, std::span(frames).subspan(begin, end - begin), end_offset));
    begin = end;
  }
  co_return Result<void>();
}

std::pair<size_t, uint64_t> CollectPass::run_of(std::span<const LiveFrame> frames, size_t begin) {
  size_t end = begin + 1;
  const meta::Chunk& first = frames[begin].front().chunk;
  uint64_t end_offset = end_of(first);
  for (; end < frames.size(); ++end) {
    const meta::Chunk& next = frames[end].front().chunk;
    if (next.offset - end_offset > kGapBytes || end_of(next) - first.offset > kRunBytes) break;
    end_offset = end_of(next);
  }
  return {end, end_offset};
}

io::Task<Result<void>> CollectPass::get_run(std::string& run, size_t tier, std::string key, Extent place,
                                            io::CancelToken* token) {
  run = CO_TRY(co_await parts_.tiers[tier].store.get(std::move(key), place.offset, place.bytes,
                                                     io::within(options_.get_ns, token)))
            .bytes;
  co_return Result<void>();
}

io::Task<std::string> CollectPass::read_run(const meta::Blob& blob, Extent place) {
  const std::string key = key_of(blob_id_of_name(blob.name));
  std::array<std::string, kMaxTiers> runs;
  std::vector<TierOrder::Failure> failures;
  const std::optional<size_t> from = co_await hydrator_.order().first_answer(
      blob.tiers & all_of(parts_.tiers), place.bytes,
      [&](size_t i, io::CancelToken* stop) { return get_run(runs[i], i, key, place, stop); }, failures, token_);
  co_return from ? std::move(runs[*from]) : std::string();
}

io::Task<Result<void>> CollectPass::repack_run(const meta::Blob& blob, std::span<const LiveFrame> frames,
                                               uint64_t end_offset) {
  const uint64_t begin = frames.front().front().chunk.offset;
  const std::string run = co_await read_run(blob, {.offset = begin, .bytes = end_offset - begin});
  for (const LiveFrame& frame : frames) {
    const InodeId inode = frame.front().inode;
    const meta::Chunk& chunk = frame.front().chunk;
    const uint64_t at = std::min<uint64_t>(chunk.offset - begin, run.size());
    const std::string_view bytes = std::string_view(run).substr(at, chunk.frame_bytes);
    Result<std::string> plain = co_await parts_.pool.run([&]() -> Result<std::string> {
      return std::string(TRY(open_recorded(bytes, inode, chunk, options_.key)).view());
    });
    // Whatever is wrong with it there, another tier may have it.
    if (!plain) plain = co_await hydrator_.fetch(inode, chunk, token_);
    if (!plain) co_return fail(std::move(plain).error());
    CO_TRY(co_await repacker_.add(inode, chunk, *std::move(plain), blob));
    for (const meta::FileChunk& other : frame | std::views::drop(1)) repacker_.share(other.inode, other.chunk);
  }
  co_return Result<void>();
}

}  // namespace firn::tier
