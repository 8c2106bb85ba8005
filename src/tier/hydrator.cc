#include "tier/hydrator.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/failpoint.h"
#include "base/metrics.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "tier/blob/frame.h"
#include "tier/blob_check.h"
#include "tier/recorded_chunk.h"

namespace firn::tier {

namespace {

constexpr uint64_t kLargestBlock = 64 << 10;  // of a file system
constexpr uint64_t kSmallFrameBytes = 1 << 20;
constexpr uint64_t kOpenedHereBytes = 64 << 10;  // less takes no longer than waking another thread
constexpr int kMaxMoves = 4;                     // of a chunk while it is being fetched

// Counts by outcome, and times.
class CountedHydration {
 public:
  void done(bool succeeded) {
    static metrics::Counter& ok = counter("ok");
    static metrics::Counter& failed = counter("failed");
    static metrics::Histogram& seconds =
        metrics::process_registry().histogram("firn_tier_hydration_seconds", "How long fetching parts of chunks took.");
    (succeeded ? ok : failed).add();
    seconds.record(static_cast<uint64_t>(io::Reactor::current()->clock().monotonic_ns() - started_ns_));
  }

 private:
  static metrics::Counter& counter(const char* outcome) {
    return metrics::process_registry().counter(
        "firn_tier_hydrations_total", "Parts of chunks fetched from colder tiers, by outcome.", {{"outcome", outcome}});
  }
  const int64_t started_ns_ = io::Reactor::current()->clock().monotonic_ns();
};

}  // namespace

Hydrator::Hydrator(Parts parts, HydrateOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      permits_(options_.chunks_in_flight * std::max<uint64_t>(options_.chunk_bytes / kBlockBytes, 1)),
      in_flight_(permits_),
      held_(permits_),
      readahead_(options_.readahead),
      order_(parts_.tiers) {}

size_t Hydrator::permits_for(uint64_t bytes) const {
  return std::clamp<size_t>((bytes + kBlockBytes - 1) / kBlockBytes, 1, permits_);
}

bool Hydrator::is_small_file(const Wanted& wanted) const {
  const meta::Chunk& chunk = wanted.chunk;
  return chunk.index.value == 0 && chunk.bytes < options_.chunk_bytes && chunk.frame_bytes <= kSmallFrameBytes;
}

// By its blocks is read what is not wanted wholly; and what is stored as it is, because their checksums say there what
// the chunk's would.
std::optional<BlockMap> Hydrator::map_for(const Wanted& wanted) const {
  const meta::Chunk& chunk = wanted.chunk;
  const bool all = wanted.range.bytes == chunk.bytes;
  if (all && is_small_file(wanted)) return std::nullopt;
  Result<BlockMap> map = decode_block_map(chunk.blocks, chunk.bytes, options_.key.has_value());
  if (!map || map->frame_bytes() != chunk.frame_bytes || (all && !map->is_stored())) return std::nullopt;
  return *std::move(map);
}

uint64_t Hydrator::stored_bytes(const Wanted& wanted) {
  return wanted.map ? wanted.map->place_of(wanted.map->covering(wanted.range)).bytes : wanted.chunk.frame_bytes;
}

io::Task<Result<ChunkPart>> Hydrator::open(std::string_view frame, const Wanted& wanted) {
  const auto decode = [&]() -> Result<ChunkPart> {
    return ChunkPart{.bytes = TRY(open_recorded(frame, wanted.inode, wanted.chunk, options_.key))};
  };
  if (wanted.chunk.bytes <= kOpenedHereBytes) co_return decode();
  co_return co_await parts_.pool.run(decode);
}

io::Task<Result<ChunkPart>> Hydrator::fetch_frame(const Tier& tier, const Wanted& wanted, io::CancelToken* token) {
  const meta::Chunk& chunk = wanted.chunk;
  const object::Fetched got = CO_TRY(co_await tier.store.get(key_of(blob_id_of_name(chunk.blob)), chunk.offset,
                                                             chunk.frame_bytes, io::within(options_.get_ns, token)));
  co_return co_await open(got.bytes, wanted);
}

io::Task<Result<ChunkPart>> Hydrator::fetch_small_file(const Tier& tier, const Wanted& wanted, io::CancelToken* token) {
  const meta::Chunk& chunk = wanted.chunk;
  const BlobReadahead::Got got = CO_TRY(co_await readahead_.get(
      {.tier = tier, .blob = chunk.blob, .blob_bytes = wanted.blob_bytes, .place = {chunk.offset, chunk.frame_bytes}},
      io::within(options_.get_ns, token)));
  Result<ChunkPart> plain = co_await open(got.bytes, wanted);
  if (plain || !got.shared) co_return plain;
  readahead_.forget(tier, chunk.blob);
  co_return co_await fetch_frame(tier, wanted, token);
}

io::Task<Result<ChunkPart>> Hydrator::fetch_blocks(const Tier& tier, const Wanted& wanted, io::CancelToken* token) {
  const meta::Chunk& chunk = wanted.chunk;
  const BlockRange blocks = wanted.map->covering(wanted.range);
  const Extent place = wanted.map->place_of(blocks);
  const object::Fetched got =
      CO_TRY(co_await tier.store.get(key_of(blob_id_of_name(chunk.blob)), chunk.offset + place.offset, place.bytes,
                                     io::within(options_.get_ns, token)));
  const auto decode = [&]() -> Result<ChunkPart> {
    const SomeBlocks which{.id = frame_id(wanted.inode, chunk), .plain_checksum = chunk.checksum, .blocks = blocks};
    return ChunkPart{.offset = wanted.map->plain_of(blocks).offset,
                     .bytes = TRY(open_blocks(got.bytes, which, *wanted.map, key_of_blob(chunk, options_.key)))};
  };
  if (wanted.map->plain_of(blocks).bytes <= kOpenedHereBytes) co_return decode();
  co_return co_await parts_.pool.run(decode);
}

io::Task<Result<ChunkPart>> Hydrator::fetch_from(const Tier& tier, const Wanted& wanted, io::CancelToken* token) {
  if (wanted.map) {
    Result<ChunkPart> bytes = co_await fetch_blocks(tier, wanted, token);
    // The frame tells of itself: that it is not as the record says need not be the tier's fault.
    if (bytes || bytes.error().code() != Code::kCorrupt) co_return bytes;
  }
  co_return co_await (is_small_file(wanted) ? fetch_small_file(tier, wanted, token) : fetch_frame(tier, wanted, token));
}

io::Task<Result<std::string>> Hydrator::fetch(InodeId inode, meta::Chunk chunk, io::CancelToken* token) {
  const Extent all{.offset = 0, .bytes = chunk.bytes};
  co_return std::string(CO_TRY(co_await fetch_range(inode, std::move(chunk), all, token)).bytes.view());
}

io::Task<Result<ChunkPart>> Hydrator::fetch_range(InodeId inode, meta::Chunk chunk, Extent range,
                                                  io::CancelToken* token) {
  if (range.bytes == 0 || range.offset > chunk.bytes || range.bytes > chunk.bytes - range.offset)
    co_return fail(Code::kInvalid, "the chunk has no such range");
  for (int moves = 0;; ++moves) {
    std::vector<Damage> damages;
    Result<ChunkPart> fetched = co_await fetch_recorded(inode, chunk, range, damages, token);
    const bool failed = !fetched && is_damage(fetched.error().code());
    if (damages.empty() && !failed) co_return fetched;
    // The collector or the scrubber may have put the chunk elsewhere meanwhile, or somebody have removed the file.
    const Result<meta::Chunk> now = co_await record_of(inode, chunk.index);
    if (now && *now == chunk) {
      for (const Damage& damage : damages)
        if (options_.on_damage) options_.on_damage(damage);
      if (failed) co_return fail(Code::kCorrupt, fetched.error().message());
      co_return fetched;
    }
    if (fetched) co_return fetched;
    const bool moved = now && now->version == chunk.version && now->checksum == chunk.checksum;
    if (!moved || moves == kMaxMoves) co_return fail(Code::kStale, "the chunk was replaced or removed meanwhile");
    chunk = *now;
  }
}

io::Task<Result<ChunkPart>> Hydrator::fetch_recorded(InodeId inode, const meta::Chunk& chunk, Extent range,
                                                     std::vector<Damage>& damages, io::CancelToken* token) {
  Wanted wanted{.inode = inode, .chunk = chunk, .range = range};
  wanted.map = map_for(wanted);
  const uint64_t bytes = wanted.map ? wanted.map->plain_of(wanted.map->covering(range)).bytes : chunk.bytes;
  const meta::Blob blob = CO_TRY(co_await parts_.tiering.get_blob(chunk.blob));
  wanted.blob_bytes = blob.bytes;
  uses_.note(chunk.blob, io::Reactor::current()->clock().now());
  co_await in_flight_.acquire(permits_for(bytes));
  CountedHydration counted;
  Result<ChunkPart> fetched = co_await fetch_nearest(wanted, blob.tiers, damages, token);
  counted.done(fetched.has_value());
  in_flight_.release(permits_for(bytes));
  co_return fetched;
}

io::Task<Result<ChunkPart>> Hydrator::fetch_nearest(const Wanted& wanted, uint32_t tiers, std::vector<Damage>& damages,
                                                    io::CancelToken* token) {
  std::array<ChunkPart, kMaxTiers> found;
  std::vector<TierOrder::Failure> failures;
  const std::optional<size_t> from = co_await order_.first_answer(
      tiers, stored_bytes(wanted),
      [&](size_t i, io::CancelToken* stop) { return fetch_into(found[i], i, wanted, stop); }, failures, token);
  if (!from && token != nullptr && token->cancelled()) co_return fail(Code::kInterrupted, "the read was cancelled");
  if (!from && failures.empty() && tiers != 0) co_return fail(Code::kInterrupted, "the stores are being closed");
  Status failure(Code::kCorrupt, "no tier has the chunk");
  bool some_do_not_answer = false;
  for (TierOrder::Failure& one : failures) {
    const std::string& name = parts_.tiers[one.tier].name;
    const bool damaged = is_damage(one.what.code());
    if (damaged && co_await has_left(wanted.chunk.blob, one.tier)) continue;
    if (damaged) damages.push_back({name, wanted.inode, wanted.chunk, one.what});
    // That a tier may answer later is the better news.
    if (!damaged || !some_do_not_answer) failure = std::move(one.what).with_context("tier " + name);
    some_do_not_answer |= !damaged;
  }
  if (from) co_return std::move(found[*from]);
  if (!some_do_not_answer) co_return fail(Code::kCorrupt, failure.message());
  co_return fail(std::move(failure));
}

io::Task<Result<void>> Hydrator::fetch_into(ChunkPart& part, size_t tier, const Wanted& wanted,
                                            io::CancelToken* token) {
  part = CO_TRY(co_await fetch_from(parts_.tiers[tier], wanted, token));
  co_return Result<void>();
}

// Whether the tier has made room of it, since its record was read perhaps.
io::Task<bool> Hydrator::has_left(const std::string& blob, size_t tier) {
  const Result<meta::Blob> now = co_await parts_.tiering.get_blob(blob);
  co_return now && (now->left >> tier & 1) != 0;
}

io::Task<Result<void>> Hydrator::evict(InodeId inode, data::Object& backing, int64_t access_level) {
  const bool is_evicted = CO_TRY(co_await parts_.meta.getattr(inode)).content.evicted;
  const meta::Attr attr = CO_TRY(co_await parts_.tiering.mark_evicted(inode, access_level));
  failpoint("evict.after_mark");
  // Were the record lost after the bytes, the file would be empty.
  if (!options_.backings_are_cache) {
    CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
    // Meanwhile a scrub may have found what this relies on damaged.
    const Result<meta::Attr> again = co_await parts_.tiering.mark_evicted(inode, access_level);
    if (!again && !is_evicted) CO_TRY(co_await take_back(inode));
    if (!again) co_return fail(again.error());
  }
  returned_.take(inode);
  if (attr.size == 0) co_return Result<void>();
  // Whole blocks, whatever the file system's: only those are given back.
  const uint64_t whole = (attr.size + kLargestBlock - 1) / kLargestBlock * kLargestBlock;
  failpoint("evict.before_empty");
  CO_TRY(co_await backing.file().allocate(io::Allocate::kPunchHole, 0, whole));
  failpoint("evict.after_empty");
  co_return Result<void>();
}

io::Task<Result<void>> Hydrator::take_back(InodeId inode) {
  CO_TRY(co_await parts_.tiering.mark_resident(inode));
  co_return co_await parts_.meta.sync(parts_.meta.last_version());
}

io::Task<Result<meta::Chunk>> Hydrator::record_of(InodeId inode, ChunkIndex index) {
  std::vector<meta::Chunk> found = CO_TRY(co_await parts_.tiering.list_chunks(inode, index, 1));
  if (found.empty() || found[0].index != index)
    co_return fail(Code::kCorrupt, "inode " + std::to_string(inode.value) + " lacks the record of its chunk " +
                                       std::to_string(index.value));
  co_return std::move(found[0]);
}

io::Task<Result<void>> Hydrator::mark_resident(InodeId inode) {
  returned_.take(inode);
  CO_TRY(co_await parts_.tiering.mark_resident(inode));
  co_return Result<void>();
}

}  // namespace firn::tier
