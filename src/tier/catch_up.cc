// Uploader: what tiers that are late are still to get. They have the patience of a slow line: what moves goes on.
#include "io/reactor.h"
#include "tier/blob_check.h"
#include "tier/blob_copy.h"
#include "tier/blob_put.h"

namespace firn::tier {

io::Task<Result<uint64_t>> Uploader::catch_up(size_t tier, io::CancelToken* token) {
  for (uint64_t blobs = 0;; ++blobs) {
    const std::optional<std::string> name = memory_.late.next(tier);
    if (!name) co_return blobs;
    if (token != nullptr && token->cancelled()) co_return fail(Code::kInterrupted, "it was stopped");
    Result<void> done = co_await bring_late(tier, *name, token);
    if (!done) {
      memory_.late.give_up(tier);
      co_return fail(std::move(done).error().with_context("tier " + parts_.tiers[tier].name));
    }
    memory_.late.done(tier);
  }
}

io::Task<Result<void>> Uploader::bring_late(size_t tier, std::string name, io::CancelToken* token) {
  const uint32_t bit = uint32_t{1} << tier;
  const BlobsUnderWay::Hold held(memory_.under_way, name);  // before it is looked up, as that has it
  Result<meta::Blob> blob = co_await parts_.tiering.get_blob(name);
  if (!blob && blob.error() == Code::kNotFound) co_return Result<void>();
  const meta::Blob found = CO_TRY(std::move(blob));
  if (found.dead_since || found.damaged || ((found.tiers | found.left | found.skip) & bit) != 0)
    co_return Result<void>();
  BlobReader reader(parts_, options_, hydrator_.order());
  Result<std::string> bytes = co_await reader.read(found, token);
  // The next pass meets that damage, too, and says so.
  if (!bytes && is_damage(bytes.error().code())) co_return Result<void>();
  object::Content content(CO_TRY(std::move(bytes)));
  CO_TRY(co_await put_surely(parts_.tiers[tier].store, key_of(blob_id_of_name(name)), std::move(content),
                             options_.put_beside_ns, token));
  const Result<void> confirmed = co_await parts_.tiering.confirm_blob(std::move(name), bit);
  // Retired meanwhile: the collector removes it there, too, once nobody is at it.
  if (!confirmed && confirmed.error() != Code::kStale) co_return confirmed;
  co_return Result<void>();
}

}  // namespace firn::tier
