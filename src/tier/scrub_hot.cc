// The scrubber on the local disk: a backing that was uploaded and not written since must be what was uploaded.
#include <charconv>

#include "base/checksum.h"
#include "tier/scrubber.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 256;         // inodes read at once
constexpr size_t kChunksAtRest = 16;  // checked before whoever wants to open the file may

bool is_eligible(const meta::Attr& attr) {
  const meta::Content& content = attr.content;
  return attr.type == meta::FileType::kRegular && attr.nlink > 0 && content.settled && !content.live &&
         !content.evicted && content.generation > 0 && content.generation == content.uploaded_generation;
}

Result<InodeId> inode_of_cursor(std::string_view cursor) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), number);
  if (error != std::errc() || end != cursor.data() + cursor.size())
    return fail(Code::kInvalid, "the cursor is not an inode's number");
  return InodeId(number);
}

}  // namespace

// Some chunks of a file.
struct Scrubber::HotBatch {
  InodeId inode;
  ChunkIndex next;
  uint64_t bytes = 0;
  bool ended = false;  // there are no more
};

io::Task<Result<ScrubReport>> Scrubber::scrub_hot(std::string* cursor, io::CancelToken* token) {
  if (!options_.with_file_at_rest) co_return fail(Code::kInvalid);
  token_ = token;
  report_ = {};
  InodeId after;
  if (!cursor->empty()) after = CO_TRY(inode_of_cursor(*cursor));
  for (;;) {
    const meta::InodePage page = CO_TRY(co_await parts_.meta.list_inodes(after, kPage));
    for (const meta::Attr& attr : page.inodes) {
      if (is_eligible(attr)) CO_TRY(co_await scrub_file(attr.inode));
      *cursor = std::to_string(attr.inode.value);
    }
    if (page.inodes.size() + page.undecodable < kPage) break;
    after = page.last;
  }
  cursor->clear();
  co_return std::move(report_);
}

io::Task<Result<void>> Scrubber::scrub_file(InodeId inode) {
  HotBatch batch{.inode = inode};
  ++report_.files;
  while (!batch.ended) {
    // What the last batch read is paid for while the file is free.
    if (!co_await pace_.spend(std::exchange(batch.bytes, 0), token_)) co_return fail(Code::kInterrupted);
    const Result<bool> done =
        co_await options_.with_file_at_rest(inode, [this, &batch](meta::Attr attr, data::Object& backing) {
          return check_at_rest(&batch, std::move(attr), &backing);
        });
    if (!done) co_return fail(done.error());
    if (!*done) {
      ++report_.skipped_files;
      break;
    }
  }
  co_return Result<void>();
}

io::Task<Result<void>> Scrubber::check_at_rest(HotBatch* batch, meta::Attr attr, data::Object* backing) {
  batch->ended = true;
  if (!is_eligible(attr)) co_return Result<void>();
  std::vector<meta::Chunk> chunks =
      CO_TRY(co_await parts_.tiering.list_chunks(batch->inode, batch->next, kChunksAtRest));
  for (meta::Chunk& chunk : chunks) {
    if (cancelled()) co_return fail(Code::kInterrupted);
    batch->bytes += chunk.bytes;
    batch->next = ChunkIndex(chunk.index.value + 1);
    CO_TRY(co_await check_hot_chunk(batch->inode, std::move(chunk), backing));
  }
  note_bytes("hot", batch->bytes);
  batch->ended = chunks.size() < kChunksAtRest;
  co_return Result<void>();
}

io::Task<Result<void>> Scrubber::check_hot_chunk(InodeId inode, meta::Chunk chunk, data::Object* backing) {
  ++report_.chunks;
  const uint64_t offset = chunk.index.value * options_.chunk_bytes;
  std::string bytes(chunk.bytes, '\0');  // a backing that ends early reads as zeros
  const auto read = co_await backing->file().read(offset, std::as_writable_bytes(std::span(bytes)));
  if (read && checksum64(bytes) == chunk.checksum) co_return Result<void>();
  ++report_.damaged;
  ScrubFinding finding{.inode = inode, .chunk = chunk.index, .what = Status(Code::kCorrupt, "the local copy differs")};
  if (!read) finding.what = read.error();
  Result<void> done = fail(Code::kCorrupt);
  if (options_.repair) {
    Result<std::string> good = co_await hydrator_.fetch(inode, std::move(chunk), token_);
    if (good) done = co_await backing->file().write(offset, std::as_bytes(std::span(*good)));
    if (good && done) done = co_await backing->file().sync(/*data_only=*/true);
    if (!good) done = fail(std::move(good).error());
    if (!done) note_failure(done.error());
  }
  finding.repaired = done.has_value();
  if (done) ++report_.repaired;
  add(std::move(finding));
  co_return Result<void>();
}

}  // namespace firn::tier
