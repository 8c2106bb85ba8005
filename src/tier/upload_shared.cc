// UploadPass: chunks that are equal to others, which colder tiers have or are about to have.
#include <algorithm>

#include "base/checksum.h"
#include "tier/recorded_chunk.h"
#include "tier/upload_pass.h"

namespace firn::tier {

namespace {

constexpr size_t kRecordsAtOnce = 256;  // committed before their file is complete

}  // namespace

bool UploadPass::Packing::add(size_t file, meta::Chunk chunk, std::string content) {
  const bool begins = parts.empty() || parts.back().file != file;
  if (begins) parts.push_back({.file = file, .records = {}});
  parts.back().records.add(std::move(chunk), std::move(content));
  return begins;
}

void UploadPass::note_frame(const std::string& content, InodeId inode, meta::Chunk chunk) {
  chunk.origin = meta::origin_of(inode, chunk);
  frames_.add(content, std::move(chunk));
}

io::Task<Result<bool>> UploadPass::share(size_t file, ChunkIndex index, const std::string& content,
                                         std::string_view bytes) {
  std::optional<meta::Chunk> chunk = frames_.find(content);
  const bool is_of_this_pass = chunk.has_value();
  if (!chunk) chunk = CO_TRY(co_await parts_.tiering.find_content(content));
  if (!chunk || chunk->bytes != bytes.size() || chunk->checksum != checksum64(bytes)) co_return false;
  chunk->index = index;
  chunk->version = files_[file].generation;
  if (chunk->origin == meta::FrameOrigin{files_[file].inode, index, chunk->version}) chunk->origin.reset();
  // An entry that was found need not be written again; what this pass has made may not be recorded by whom it was made
  // for.
  const std::string hash = is_of_this_pass ? content : "";
  if (const auto packing = underway_.find(chunk->blob); packing != underway_.end()) {
    pack(*packing->second, file, *std::move(chunk), hash);
  } else if (!CO_TRY(co_await share_stored(file, *std::move(chunk), hash))) {
    co_return false;
  }
  ++summary_.shared;
  summary_.shared_bytes += bytes.size();
  co_return true;
}

void UploadPass::hold(File& file, const std::string& blob) {
  if (!file.held.contains(blob)) file.held.emplace(blob, BlobsUnderWay::Hold(memory_.under_way, blob));
}

io::Task<Result<bool>> UploadPass::share_stored(size_t file, meta::Chunk chunk, const std::string& content) {
  hold(files_[file], chunk.blob);
  const Result<meta::Blob> blob = co_await parts_.tiering.get_blob(chunk.blob);
  if (blob && (blob->dead_since || blob->damaged)) co_return false;  // since its frame was found
  Result<Reach> reach = co_await bring_to(file, chunk.blob);
  if (!reach && reach.error() == Code::kNotFound) co_return false;  // the collector was faster
  const Reach there = CO_TRY(std::move(reach));
  if (there == Reach::kElsewhere) co_return false;
  note_reach(file, there);
  files_[file].records.add(std::move(chunk), content);
  CO_TRY(co_await record_some(file));
  co_return true;
}

// A file that replaces nothing may be recorded bit by bit.
io::Task<Result<void>> UploadPass::record_some(size_t file) {
  File& to = files_[file];
  if (to.replaces || to.failed || to.records.chunks.size() < kRecordsAtOnce) co_return Result<void>();
  Records records = std::exchange(to.records, {});
  (void)CO_TRY(co_await commit(to, {.chunks = std::move(records.chunks), .contents = std::move(records.contents)}));
  to.held.clear();
  co_return Result<void>();
}

}  // namespace firn::tier
