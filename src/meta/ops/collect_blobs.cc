// What the collector asks: which blobs chunks refer to, and that none comes to refer to one that is to go.
#include <algorithm>

#include "io/reactor.h"
#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/blobs.h"
#include "meta/tiering_records.h"

namespace firn::meta {

namespace {

constexpr size_t kPage = 1024;  // records read at once

// `counts` is in order of names.
void count(const Chunk& chunk, std::vector<BlobCount>& counts) {
  const auto name = [](const BlobCount& one) -> const std::string& { return one.blob.name; };
  const auto found = std::ranges::lower_bound(counts, chunk.blob, {}, name);
  if (found == counts.end() || found->blob.name != chunk.blob) return;
  ++found->references;
  found->referenced_bytes += chunk.frame_bytes;
  if (!chunk.origin) return;
  ++found->shared_references;
  found->shared_bytes += chunk.frame_bytes;
}

io::Task<Result<std::vector<BlobCount>>> blobs_to_count(kv::Transaction& transaction, std::string after, size_t limit) {
  std::vector<BlobCount> counts;
  while (counts.size() < limit) {
    const size_t wanted = std::min(kPage, limit - counts.size());
    std::vector<Blob> page = CO_TRY(co_await load_blobs(transaction, after, wanted));
    for (Blob& blob : page) counts.push_back({.blob = std::move(blob)});
    if (page.size() < wanted) break;
    after = counts.back().blob.name;
    co_await io::stand_back();
  }
  co_return counts;
}

// True: it is retired now.
io::Task<Result<bool>> retire(kv::Transaction& transaction, std::string_view name, Timestamp now) {
  Blob blob = CO_TRY(co_await load_blob(transaction, name));
  if (blob.live_bytes > 0) co_return false;
  if (!blob.dead_since) {
    blob.dead_since = now;
    transaction.put(blob_key(name), encode_blob(blob));
  }
  co_return true;
}

io::Task<Result<void>> revive(kv::Transaction& transaction, std::string_view name) {
  Blob blob = CO_TRY(co_await load_blob(transaction, name));
  blob.dead_since.reset();
  transaction.put(blob_key(name), encode_blob(blob));
  co_return Result<void>();
}

io::Task<Result<void>> distrust(kv::Transaction& transaction, std::string_view name) {
  Blob blob = CO_TRY(co_await load_blob(transaction, name));
  blob.damaged = true;
  transaction.put(blob_key(name), encode_blob(blob));
  co_return Result<void>();
}

io::Task<Result<void>> mend(kv::Transaction& transaction, std::string_view name, int64_t missing_bytes) {
  const Key key = blob_key(name);
  if (!CO_TRY(co_await transaction.get(key))) co_return fail(Code::kNotFound, "no such blob");
  transaction.add(blob_live_key(name), missing_bytes);
  co_return Result<void>();
}

}  // namespace

io::Task<Result<std::vector<BlobCount>>> LocalService::count_blobs(std::string after, size_t limit,
                                                                   std::function<bool(uint64_t chunks)> go_on) {
  const auto transaction = core_->engine.begin();
  std::vector<BlobCount> counts = CO_TRY(co_await blobs_to_count(*transaction, std::move(after), limit));
  if (counts.empty()) co_return counts;
  uint64_t chunks = 0;
  kv::Range range = all_chunks_from(InodeId(), ChunkIndex());
  for (;;) {
    const auto page = CO_TRY(co_await transaction->scan(range, kPage, kv::Isolation::kSnapshot));
    for (const kv::Pair& pair : page) count(CO_TRY(decode_file_chunk(pair)).chunk, counts);
    chunks += page.size();
    if (go_on && !go_on(chunks)) co_return fail(Code::kInterrupted);
    if (page.size() < kPage) co_return counts;
    range.begin = page.back().key + '\0';
    co_await io::stand_back();
  }
}

io::Task<Result<bool>> LocalService::retire_blob(std::string name) {
  const Timestamp now = core_->now();
  co_return co_await kv::transact<bool>(core_->engine,
                                        [&name, now](kv::Transaction& t) { return retire(t, name, now); });
}

io::Task<Result<void>> LocalService::revive_blob(std::string name) {
  co_return co_await kv::transact<void>(core_->engine, [&name](kv::Transaction& t) { return revive(t, name); });
}

io::Task<Result<void>> LocalService::distrust_blob(std::string name) {
  co_return co_await kv::transact<void>(core_->engine, [&name](kv::Transaction& t) { return distrust(t, name); });
}

io::Task<Result<void>> LocalService::mend_blob(std::string name, int64_t missing_bytes) {
  co_return co_await kv::transact<void>(
      core_->engine, [&name, missing_bytes](kv::Transaction& t) { return mend(t, name, missing_bytes); });
}

}  // namespace firn::meta
