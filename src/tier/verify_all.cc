#include "tier/verify_all.h"

#include <algorithm>
#include <map>

#include "tier/blob_check.h"
#include "tier/recorded_chunk.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 1024;  // records read at once

// What a sound frame says.
struct Frame {
  FrameId id;
  uint32_t plain_bytes = 0;
  uint32_t frame_bytes = 0;
  std::optional<uint64_t> plain_checksum;
};

class Verify {
 public:
  Verify(meta::Tiering& tiering, Tiers tiers, io::BlockingPool& pool, VerifyOptions options, io::CancelToken* token)
      : tiering_(tiering),
        tiers_(std::move(tiers)),
        pool_(pool),
        options_(std::move(options)),
        token_(token),
        pace_(options_.bytes_per_s) {}

  io::Task<Result<VerifyReport>> run() {
    for (std::string after;;) {
      const std::vector<meta::Blob> page = CO_TRY(co_await tiering_.list_blobs(after, kPage));
      for (const meta::Blob& blob : page) {
        CO_TRY(co_await verify_blob(blob));
        if (frames_.size() >= kFramesPerWalk) CO_TRY(co_await compare_records());
      }
      if (page.size() < kPage) break;
      after = page.back().name;
    }
    CO_TRY(co_await compare_records());
    co_return std::move(report_);
  }

 private:
  using Place = std::pair<uint32_t, uint64_t>;  // the blob's position in blobs_, the frame's offset

  io::Task<Result<void>> verify_blob(const meta::Blob& blob) {
    if (blob.tiers == 0 || blob.dead_since || blob.is_given_up()) co_return Result<void>();
    const auto position = static_cast<uint32_t>(blobs_.size());
    blobs_.push_back(blob.name);
    std::map<uint64_t, Frame> frames;
    const size_t first_problem = report_.problems.size();
    bool sound = false;
    for (size_t i = 0; i < tiers_.size(); ++i)
      if ((blob.tiers >> i & 1) != 0) sound |= CO_TRY(co_await verify_object(blob, tiers_[i], &frames));
    for (size_t i = first_problem; i < report_.problems.size(); ++i) {
      VerifyProblem& problem = report_.problems[i];
      problem.elsewhere = sound || std::ranges::any_of(frames, [&](const auto& entry) {
                            return entry.second.id.inode == problem.inode && entry.second.id.chunk == problem.chunk;
                          });
    }
    for (auto& [offset, frame] : frames) frames_.push_back({{position, offset}, frame});
    ++report_.blobs;
    if (options_.progress) options_.progress(report_.blobs);
    co_return Result<void>();
  }

  // Adds its sound frames. True: the whole is.
  io::Task<Result<bool>> verify_object(const meta::Blob& blob, const Tier& tier, std::map<uint64_t, Frame>* frames) {
    const auto note = [frames](const IndexEntry& entry, std::optional<uint64_t> plain_checksum) {
      const FrameHeader& header = entry.header;
      (*frames)[entry.offset] = {header.id, header.plain_bytes,
                                 static_cast<uint32_t>(kFrameHeaderBytes + header.stored_bytes), plain_checksum};
    };
    const CheckOptions check{.key = options_.key, .get_ns = options_.get_ns, .pace = &pace_, .on_frame = note};
    auto findings = co_await check_object(tier.store, blob_id_of_name(blob.name), pool_, check, token_);
    if (!findings) co_return fail(std::move(findings).error().with_context("tier " + tier.name));
    ++report_.objects;
    report_.frames += findings->frames_checked;
    report_.bytes += findings->bytes;
    if (!findings->whole.ok())
      report_.problems.push_back({.tier = tier.name, .blob = blob.name, .what = findings->whole.to_string()});
    for (const BlobFindings::Frame& frame : findings->frames)
      report_.problems.push_back({.tier = tier.name,
                                  .blob = blob.name,
                                  .inode = frame.header.id.inode,
                                  .chunk = frame.header.id.chunk,
                                  .what = frame.what.to_string()});
    co_return findings->sound();
  }

  // Of chunks in the blobs that were verified since the last call.
  io::Task<Result<void>> compare_records() {
    std::vector<meta::FileChunk> page;
    InodeId inode;
    ChunkIndex index;
    do {
      page = CO_TRY(co_await tiering_.list_all_chunks(inode, index, kPage));
      for (const meta::FileChunk& one : page) compare(one);
      if (page.empty()) break;
      inode = page.back().inode;
      index = ChunkIndex(page.back().chunk.index.value + 1);
    } while (page.size() == kPage);
    blobs_.clear();
    frames_.clear();
    co_return Result<void>();
  }

  void compare(const meta::FileChunk& one) {
    const meta::Chunk& chunk = one.chunk;
    const auto blob = std::ranges::lower_bound(blobs_, chunk.blob);
    if (blob == blobs_.end() || *blob != chunk.blob) return;
    ++report_.chunks;
    const Place place(static_cast<uint32_t>(blob - blobs_.begin()), chunk.offset);
    const auto frame = std::ranges::lower_bound(frames_, place, {}, [](const auto& entry) { return entry.first; });
    if (frame == frames_.end() || frame->first != place) return complain(one, "no tier has the chunk");
    const Frame& found = frame->second;
    if (!(found.id == frame_id(one.inode, chunk))) return complain(one, "where the chunk should be is another");
    if (found.frame_bytes != chunk.frame_bytes || found.plain_bytes != chunk.bytes ||
        found.plain_checksum.value_or(chunk.checksum) != chunk.checksum)
      return complain(one, "the chunk is another than its record says");
  }

  void complain(const meta::FileChunk& one, std::string what) {
    report_.problems.push_back(
        {.blob = one.chunk.blob, .inode = one.inode, .chunk = one.chunk.index, .what = std::move(what)});
  }

  meta::Tiering& tiering_;
  const Tiers tiers_;
  io::BlockingPool& pool_;
  const VerifyOptions options_;
  io::CancelToken* const token_;
  Pace pace_;
  std::vector<std::string> blobs_;               // in order of names
  std::vector<std::pair<Place, Frame>> frames_;  // in order
  VerifyReport report_;
};

}  // namespace

io::Task<Result<VerifyReport>> verify_all(meta::Tiering& tiering, Tiers tiers, io::BlockingPool& pool,
                                          VerifyOptions options, io::CancelToken* token) {
  Verify verify(tiering, std::move(tiers), pool, std::move(options), token);
  co_return co_await verify.run();
}

}  // namespace firn::tier
