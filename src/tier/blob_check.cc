#include "tier/blob_check.h"

#include <algorithm>

#include "base/checksum.h"
#include "io/reactor.h"

namespace firn::tier {

namespace {

constexpr uint64_t kRangeBytes = 4 << 20;
constexpr uint64_t kTailBytes = 64 << 10;

uint64_t frame_bytes(const IndexEntry& entry) { return kFrameHeaderBytes + entry.header.stored_bytes; }

// The chunk's checksum, if it can be told.
Result<std::optional<uint64_t>> check_frame(std::string_view bytes, const IndexEntry& entry, bool sealed,
                                            const std::optional<Key>& key) {
  std::string header;
  encode(entry.header, header);
  if (bytes.substr(0, header.size()) != header) return fail(Code::kCorrupt, "a frame's header is not the index's");
  if (sealed && !key) {
    TRY(verify_stored_frame(bytes));
    return std::nullopt;
  }
  return TRY(open_whole(bytes, entry.header.id, key)).checksum;
}

class Check {
 public:
  Check(object::ObjectStore& store, BlobId id, io::BlockingPool& pool, CheckOptions& options, io::CancelToken* token)
      : store_(store), id_(id), pool_(pool), options_(options), token_(token) {}

  io::Task<Result<BlobFindings>> run() {
    Result<void> done = co_await check();
    if (!done && !is_damage(done.error().code())) co_return fail(std::move(done).error());
    if (!done) findings_.whole = std::move(done).error();
    co_return std::move(findings_);
  }

 private:
  // Fails with damage of the whole.
  io::Task<Result<void>> check() {
    first_ = CO_TRY(co_await get(0, kRangeBytes));
    if (object_bytes_ > kMaxBlobBytes) co_return fail(Code::kCorrupt, "the object is larger than a blob may be");
    const BlobHeader header = CO_TRY(decode_blob_header(std::string_view(first_).substr(0, kBlobHeaderBytes)));
    if (header.id != id_) co_return fail(Code::kCorrupt, "this is another blob");
    if (options_.key && !header.sealed) co_return fail(Code::kCorrupt, "the blob is not sealed");
    sealed_ = header.sealed;
    if (options_.key) key_ = blob_key(*options_.key, id_);
    const std::vector<IndexEntry> index = CO_TRY(co_await find_index());
    for (size_t begin = 0; begin < index.size();) {
      size_t end = begin + 1;
      uint64_t bytes = frame_bytes(index[begin]);
      while (end < index.size() && bytes + frame_bytes(index[end]) <= kRangeBytes) bytes += frame_bytes(index[end++]);
      CO_TRY(co_await check_frames(std::span(index).subspan(begin, end - begin), bytes));
      begin = end;
    }
    co_return Result<void>();
  }

  io::Task<Result<std::vector<IndexEntry>>> find_index() {
    uint64_t bytes = std::min(object_bytes_, kTailBytes);
    for (;;) {
      const std::string tail = CO_TRY(co_await read(object_bytes_ - bytes, bytes));
      BlobTail found = CO_TRY(read_tail(tail, object_bytes_));
      if (found.index) co_return *std::move(found.index);
      if (bytes == object_bytes_ - found.index_offset) co_return fail(Code::kCorrupt, "the blob's index is cut short");
      bytes = object_bytes_ - found.index_offset;
    }
  }

  io::Task<Result<void>> check_frames(std::span<const IndexEntry> entries, uint64_t bytes) {
    const uint64_t begin = entries.front().offset;
    const std::string range = CO_TRY(co_await read(begin, bytes));
    for (const IndexEntry& entry : entries) {
      const uint64_t at = std::min<uint64_t>(entry.offset - begin, range.size());
      const std::string_view frame = std::string_view(range).substr(at, frame_bytes(entry));
      const auto checksum = co_await pool_.run([&] { return check_frame(frame, entry, sealed_, key_); });
      ++findings_.frames_checked;
      if (!checksum) {
        findings_.frames.push_back({entry.header, checksum.error()});
      } else if (options_.on_frame) {
        options_.on_frame(entry, *checksum);
      }
    }
    co_return Result<void>();
  }

  // From what was read first, where that reaches.
  io::Task<Result<std::string>> read(uint64_t offset, uint64_t bytes) {
    if (offset + bytes <= first_.size()) co_return first_.substr(offset, bytes);
    co_return co_await get(offset, bytes);
  }

  io::Task<Result<std::string>> get(uint64_t offset, uint64_t bytes) {
    object::Fetched got = CO_TRY(co_await store_.get(key_of(id_), offset, bytes, io::within(options_.get_ns, token_)));
    if (options_.pace && !co_await options_.pace->spend(got.bytes.size(), token_)) co_return fail(Code::kInterrupted);
    if (offset == 0) object_bytes_ = got.object_bytes;
    if (got.object_bytes != object_bytes_) co_return fail(Code::kCorrupt, "the object has changed while it was read");
    findings_.bytes += got.bytes.size();
    if (options_.keep && object_bytes_ <= kMaxBlobBytes) {
      options_.keep->resize(object_bytes_);
      options_.keep->replace(offset, got.bytes.size(), got.bytes);
    }
    co_return std::move(got.bytes);
  }

  object::ObjectStore& store_;
  const BlobId id_;
  io::BlockingPool& pool_;
  CheckOptions& options_;
  io::CancelToken* const token_;
  std::string first_;
  uint64_t object_bytes_ = 0;
  bool sealed_ = false;
  std::optional<Key> key_;  // of this blob
  BlobFindings findings_;
};

}  // namespace

io::Task<Result<BlobFindings>> check_object(object::ObjectStore& store, BlobId id, io::BlockingPool& pool,
                                            CheckOptions options, io::CancelToken* token) {
  Check check(store, id, pool, options, token);
  co_return co_await check.run();
}

}  // namespace firn::tier
