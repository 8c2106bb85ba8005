// The index of contents: which frame has what some chunk holds. Entries are hints, which may outlive their blobs:
// whoever follows one asks for the blob.
#include <map>

#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/ops/blobs.h"
#include "meta/tiering_records.h"

namespace firn::meta {

namespace {

io::Task<Result<bool>> takes_chunks(kv::Transaction& transaction, std::string_view name) {
  const Key key = blob_key(name);
  const auto stored = CO_TRY(co_await transaction.get(key, kv::Isolation::kSnapshot));
  if (!stored) co_return false;
  co_return takes_chunks(CO_TRY(decode_blob(name, *stored)));
}

io::Task<Result<std::string>> drop_dead(kv::Transaction& transaction, std::string_view after, size_t limit) {
  std::string begin = content_key(after).str();
  if (!after.empty()) begin.push_back('\0');
  const auto pairs = CO_TRY(co_await transaction.scan({std::move(begin), kv::prefix_end(Key(Prefix::kContent))}, limit,
                                                      kv::Isolation::kSnapshot));
  std::map<std::string, bool> take_chunks;
  for (const kv::Pair& pair : pairs) {
    const Result<Chunk> frame = decode_content(pair.value);
    bool drop = !frame;
    if (frame) {
      const auto [blob, is_new] = take_chunks.try_emplace(frame->blob);
      if (is_new) blob->second = CO_TRY(co_await takes_chunks(transaction, frame->blob));
      drop = !blob->second;
    }
    if (!drop) continue;
    // What an upload is writing in its place is to stay.
    transaction.add_read_conflict(pair.key);
    transaction.erase(pair.key);
  }
  co_return pairs.size() < limit ? "" : pairs.back().key.substr(1);
}

}  // namespace

io::Task<Result<std::optional<Chunk>>> LocalService::find_content(std::string hash) {
  if (hash.size() != kContentHashBytes) co_return fail(Code::kInvalid);
  const auto transaction = core_->engine.begin();
  const Key key = content_key(hash);
  const auto stored = CO_TRY(co_await transaction->get(key, kv::Isolation::kSnapshot));
  if (!stored) co_return std::nullopt;
  Result<Chunk> frame = decode_content(*stored);
  if (!frame || !CO_TRY(co_await takes_chunks(*transaction, frame->blob))) co_return std::nullopt;
  co_return *std::move(frame);
}

io::Task<Result<std::string>> LocalService::drop_dead_contents(std::string after, size_t limit) {
  co_return co_await kv::transact<std::string>(
      core_->engine, [&after, limit](kv::Transaction& t) { return drop_dead(t, after, limit); });
}

}  // namespace firn::meta
