// The scrubber on blobs that no tier has whole: what of them can still be had goes elsewhere.
#include "base/checksum.h"
#include "base/failpoint.h"
#include "tier/scrubber.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 256;  // chunk records read at once

}  // namespace

io::Task<Result<void>> Scrubber::rescue() {
  const std::set<std::string> blobs = std::exchange(hopeless_, {});
  if (blobs.empty()) co_return Result<void>();
  bool all = true;
  repacker_ = std::make_unique<Repacker>(
      Repacker::Parts{parts_.meta, parts_.tiering, parts_.pool, parts_.random, parts_.tiers, parts_.under_way},
      RepackOptions{.codec = options_.codec, .key = options_.key, .dedup = options_.dedup, .put_ns = options_.put_ns},
      token_);
  std::vector<meta::FileChunk> page;
  InodeId inode;
  ChunkIndex index;
  do {
    page = CO_TRY(co_await parts_.tiering.list_all_chunks(inode, index, kPage));
    for (meta::FileChunk& one : page) {
      if (cancelled()) co_return fail(Code::kInterrupted);
      if (blobs.contains(one.chunk.blob)) all &= CO_TRY(co_await rescue_chunk(one.inode, one.chunk));
    }
    if (!page.empty()) {
      inode = page.back().inode;
      index = ChunkIndex(page.back().chunk.index.value + 1);
    }
  } while (page.size() == kPage);
  Result<void> flushed = co_await repacker_->flush();
  report_.rescued_chunks += repacker_->counts().chunks;
  repacker_.reset();
  if (!flushed) {
    note_failure(std::move(flushed).error());
  } else if (all) {
    // What damage there was, nobody refers to it any more.
    for (ScrubFinding& finding : report_.findings)
      if (blobs.contains(finding.blob)) finding.repaired = true;
  }
  co_return co_await parts_.meta.sync(parts_.meta.last_version());
}

io::Task<Result<void>> Scrubber::distrust(std::string blob) {
  Result<void> done = co_await parts_.tiering.distrust_blob(std::move(blob));
  // The collector was faster.
  if (!done && done.error() != Code::kNotFound) co_return done;
  co_return Result<void>();
}

io::Task<Result<void>> Scrubber::repair_or_rescue(std::string name, std::string tier, io::CancelToken* token) {
  Result<void> repaired = co_await repair_blob(name, std::move(tier), token);
  if (repaired || repaired.error().code() != Code::kCorrupt) co_return repaired;
  token_ = token;
  report_ = {};
  CO_TRY(co_await distrust(name));
  hopeless_ = {std::move(name)};
  CO_TRY(co_await rescue());
  if (!report_.first_failure.ok()) co_return fail(report_.first_failure);
  if (report_.lost_chunks > 0)
    co_return fail(Code::kCorrupt, std::to_string(report_.lost_chunks) + " chunks are in no tier whole");
  co_return Result<void>();
}

io::Task<Result<bool>> Scrubber::rescue_chunk(InodeId inode, meta::Chunk chunk) {
  if (repacker_->share(inode, chunk)) co_return true;
  Result<std::string> bytes = co_await hydrator_.fetch(inode, chunk, token_);
  if (!bytes && is_damage(bytes.error().code()))
    if (auto returned = CO_TRY(co_await read_returned(inode, chunk))) bytes = *std::move(returned);
  if (bytes) {
    const meta::Blob blob = CO_TRY(co_await parts_.tiering.get_blob(chunk.blob));
    Result<void> added = co_await repacker_->add(inode, std::move(chunk), *std::move(bytes), blob);
    if (!added) note_failure(added.error());
    co_return added.has_value();
  }
  if (bytes.error().code() == Code::kStale) co_return true;  // nobody needs it any more
  if (!is_damage(bytes.error().code())) {
    note_failure(std::move(bytes).error());
    co_return false;
  }
  if (CO_TRY(co_await requeue(inode, chunk))) {
    ++report_.requeued_chunks;
    co_return true;
  }
  ++report_.lost_chunks;
  add({.blob = chunk.blob,
       .inode = inode,
       .chunk = chunk.index,
       .what = Status(Code::kCorrupt, "neither a tier nor the local disk has the chunk")});
  co_return false;
}

io::Task<std::optional<std::string>> Scrubber::read_backing(const meta::Content& content, const meta::Chunk& chunk) {
  const Result<data::ObjectRef> object = co_await parts_.data.open(content.backing);
  if (!object) co_return std::nullopt;
  std::string bytes(chunk.bytes, '\0');
  const auto read = co_await (*object)->file().read(chunk.index.value * options_.chunk_bytes,
                                                    std::as_writable_bytes(std::span(bytes)));
  if (!read || checksum64(bytes) != chunk.checksum) co_return std::nullopt;
  co_return bytes;
}

io::Task<Result<std::optional<std::string>>> Scrubber::read_returned(InodeId inode, const meta::Chunk& chunk) {
  const Result<meta::Attr> attr = co_await parts_.meta.getattr(inode);
  if (!attr && attr.error() != Code::kStale) co_return fail(attr.error());
  if (!attr || !attr->content.evicted) co_return std::nullopt;
  co_return co_await read_backing(attr->content, chunk);
}

io::Task<Result<bool>> Scrubber::requeue(InodeId inode, const meta::Chunk& chunk) {
  const Result<meta::Attr> attr = co_await parts_.meta.getattr(inode);
  if (!attr && attr.error() == Code::kStale) co_return true;  // nobody needs it any more
  if (!attr) co_return fail(attr.error());
  const meta::Content& content = attr->content;
  if (!content.settled) co_return true;  // its content is inline: the uploader is about to drop the record
  if (content.evicted) co_return false;
  // The backing is what was uploaded, unless it has been damaged as well: that is not to become the truth.
  if (content.generation == content.uploaded_generation && !co_await read_backing(content, chunk)) co_return false;
  std::vector<meta::Chunk> lost;
  lost.push_back(chunk);
  const Result<uint64_t> done = co_await parts_.tiering.lose_chunks(inode, std::move(lost));
  if (!done && done.error() == Code::kBusy) co_return false;  // evicted meanwhile
  if (!done) co_return fail(done.error());
  failpoint("rescue.after_requeue");
  co_return true;
}

}  // namespace firn::tier
