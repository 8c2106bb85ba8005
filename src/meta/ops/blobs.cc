// The blobs that there are. Bytes of theirs that chunks refer to are a counter, which many transactions change at once.
#include "meta/ops/blobs.h"

#include "meta/core.h"
#include "meta/keys.h"
#include "meta/local_service.h"
#include "meta/tiering_records.h"

namespace firn::meta {

io::Task<Result<Blob>> load_blob(kv::Transaction& transaction, std::string_view name) {
  const Key key = blob_key(name), live_key = blob_live_key(name);
  const auto stored = CO_TRY(co_await transaction.get(key));
  if (!stored) co_return fail(Code::kNotFound, "no such blob");
  Blob blob = CO_TRY(decode_blob(name, *stored));
  if (const auto live = CO_TRY(co_await transaction.get(live_key))) blob.live_bytes = CO_TRY(decode_counter(*live));
  co_return blob;
}

io::Task<Result<std::vector<Blob>>> load_blobs(kv::Transaction& transaction, std::string_view after, size_t limit) {
  std::string begin = blob_key(after).str();
  if (!after.empty()) begin.push_back('\0');
  const auto pairs = CO_TRY(co_await transaction.scan({std::move(begin), kv::prefix_end(Key(Prefix::kBlob))}, limit,
                                                      kv::Isolation::kSnapshot));
  std::vector<Blob> blobs;
  for (const kv::Pair& pair : pairs)
    blobs.push_back(CO_TRY(co_await load_blob(transaction, std::string_view(pair.key).substr(1))));
  co_return blobs;
}

namespace {

io::Task<Result<void>> announce(kv::Transaction& transaction, const Blob& blob) {
  transaction.put(blob_key(blob.name), encode_blob(blob));
  transaction.add(blob_live_key(blob.name), 0);
  co_return Result<void>();
}

// False: it is retired. One that is forgotten comes back as such, or its objects would never be removed.
io::Task<Result<bool>> confirm(kv::Transaction& transaction, std::string_view name, uint32_t tiers, Timestamp now) {
  Result<Blob> blob = co_await load_blob(transaction, name);
  if (!blob && blob.error() != Code::kNotFound) co_return fail(std::move(blob).error());
  const bool forgotten = !blob;
  if (forgotten) blob = Blob{.name = std::string(name), .since = now, .dead_since = now};
  blob->tiers |= tiers;
  blob->left &= ~tiers;
  blob->leaving &= ~tiers;
  CO_TRY(co_await announce(transaction, *blob));
  co_return !blob->dead_since;
}

io::Task<Result<void>> begin_leave(kv::Transaction& transaction, std::string_view name, uint32_t tier,
                                   uint32_t keepers) {
  Blob blob = CO_TRY(co_await load_blob(transaction, name));
  if (blob.dead_since) co_return fail(Code::kStale, "the blob is retired");
  const uint32_t needed = tier | keepers;
  if (keepers == 0 || (keepers & tier) != 0 || (blob.tiers & needed) != needed)
    co_return fail(Code::kBusy, "colder tiers lack the blob");
  if ((keepers & blob.unsound) != 0) co_return fail(Code::kBusy, "a colder tier has the blob damaged");
  blob.tiers &= ~tier;
  blob.unsound &= ~tier;
  blob.left |= tier;
  blob.leaving |= tier;
  transaction.put(blob_key(name), encode_blob(blob));
  co_return Result<void>();
}

io::Task<Result<void>> end_leave(kv::Transaction& transaction, std::string_view name, uint32_t tier) {
  Blob blob = CO_TRY(co_await load_blob(transaction, name));
  blob.leaving &= ~tier;
  transaction.put(blob_key(name), encode_blob(blob));
  co_return Result<void>();
}

io::Task<Result<void>> judge_copy(kv::Transaction& transaction, std::string_view name, uint32_t sound,
                                  uint32_t unsound) {
  Blob blob = CO_TRY(co_await load_blob(transaction, name));
  const uint32_t now = ((blob.unsound & ~sound) | unsound) & blob.tiers;
  const bool damaged = blob.damaged && (sound & blob.tiers) == 0;  // or a tier has it whole again
  if (now == blob.unsound && damaged == blob.damaged) co_return Result<void>();
  blob.unsound = now;
  blob.damaged = damaged;
  transaction.put(blob_key(name), encode_blob(blob));
  co_return Result<void>();
}

io::Task<Result<void>> forget(kv::Transaction& transaction, std::string_view name) {
  const Blob blob = CO_TRY(co_await load_blob(transaction, name));
  if (blob.live_bytes > 0) co_return fail(Code::kBusy, "chunks refer to the blob");
  transaction.erase(blob_key(name));
  transaction.erase(blob_live_key(name));
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> LocalService::announce_blob(std::string name, uint64_t bytes, uint32_t skip, uint32_t left) {
  if (name.size() != kBlobNameBytes) co_return fail(Code::kInvalid);
  const Blob blob{.name = std::move(name), .bytes = bytes, .skip = skip, .left = left, .since = core_->now()};
  co_return co_await kv::transact<void>(core_->engine, [&blob](kv::Transaction& t) { return announce(t, blob); });
}

io::Task<Result<void>> LocalService::confirm_blob(std::string name, uint32_t tiers) {
  if (name.size() != kBlobNameBytes) co_return fail(Code::kInvalid);
  const Timestamp now = core_->now();
  const bool taken = CO_TRY(co_await kv::transact<bool>(
      core_->engine, [&name, tiers, now](kv::Transaction& t) { return confirm(t, name, tiers, now); }));
  if (!taken) co_return fail(Code::kStale, "the blob was given up before it was confirmed");
  co_return Result<void>();
}

io::Task<Result<void>> LocalService::begin_leaving(std::string name, uint32_t tier, uint32_t keepers) {
  co_return co_await kv::transact<void>(
      core_->engine, [&name, tier, keepers](kv::Transaction& t) { return begin_leave(t, name, tier, keepers); });
}

io::Task<Result<void>> LocalService::end_leaving(std::string name, uint32_t tier) {
  co_return co_await kv::transact<void>(core_->engine,
                                        [&name, tier](kv::Transaction& t) { return end_leave(t, name, tier); });
}

io::Task<Result<void>> LocalService::distrust_copy(std::string name, uint32_t tier) {
  co_return co_await kv::transact<void>(core_->engine,
                                        [&name, tier](kv::Transaction& t) { return judge_copy(t, name, 0, tier); });
}

io::Task<Result<void>> LocalService::trust_copy(std::string name, uint32_t tier) {
  co_return co_await kv::transact<void>(core_->engine,
                                        [&name, tier](kv::Transaction& t) { return judge_copy(t, name, tier, 0); });
}

io::Task<Result<Blob>> LocalService::get_blob(std::string name) {
  const auto transaction = core_->engine.begin();
  co_return co_await load_blob(*transaction, name);
}

io::Task<Result<std::vector<Blob>>> LocalService::list_blobs(std::string after, size_t limit) {
  const auto transaction = core_->engine.begin();
  co_return co_await load_blobs(*transaction, after, limit);
}

io::Task<Result<void>> LocalService::forget_blob(std::string name) {
  co_return co_await kv::transact<void>(core_->engine, [&name](kv::Transaction& t) { return forget(t, name); });
}

}  // namespace firn::meta
