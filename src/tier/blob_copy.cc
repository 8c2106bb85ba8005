#include "tier/blob_copy.h"

#include <utility>
#include <vector>

#include "io/reactor.h"
#include "tier/blob/verify.h"
#include "tier/blob_check.h"
#include "tier/nearest_holder.h"

namespace firn::tier {

io::Task<Result<std::string>> BlobReader::read(meta::Blob blob, io::CancelToken* token) {
  const std::string key = key_of(blob_id_of_name(blob.name));
  Status failure(Code::kCorrupt, "no tier has it");
  for (uint32_t left = blob.tiers & all_of(parts_.tiers); left != 0;) {
    std::vector<TierOrder::Failure> failures;
    const auto holder = co_await nearest_holder(order_, parts_.tiers, left, key, failures, token);
    if (holder) {
      Result<std::string> bytes = co_await read_from(blob, parts_.tiers[*holder], token);
      if (bytes) co_return bytes;
      failures.push_back({*holder, std::move(bytes).error()});
    } else if (failures.empty()) {
      co_return fail(Code::kInterrupted, "the upload was stopped");
    }
    for (TierOrder::Failure& one : failures) {
      left &= ~(uint32_t{1} << one.tier);
      if (is_damage(one.what.code())) co_await report_damage(blob, one.tier, one.what);
      failure = std::move(one.what).with_context("tier " + parts_.tiers[one.tier].name);
    }
  }
  co_return fail(std::move(failure));
}

io::Task<Result<std::string>> BlobReader::read_from(const meta::Blob& blob, const Tier& tier, io::CancelToken* token) {
  const BlobId id = blob_id_of_name(blob.name);
  std::string bytes =
      CO_TRY(co_await object::get_all(tier.store, key_of(id), kMaxBlobBytes, io::within(options_.put_ns, token)));
  // Damage is not to be copied.
  const Status sound = co_await parts_.pool.run([&] { return verify_stored(bytes, id); });
  if (!sound.ok() || bytes.size() != blob.bytes)
    co_return fail(Code::kCorrupt, "what another tier lacks is damaged there");
  co_return bytes;
}

io::Task<void> BlobReader::report_damage(const meta::Blob& blob, size_t tier, Status what) {
  if (!options_.on_damage) co_return;
  // The collector may have come in between, or the tier have made room.
  const Result<meta::Blob> now = co_await parts_.tiering.get_blob(blob.name);
  if (!now || now->dead_since || (now->left >> tier & 1) != 0) co_return;
  options_.on_damage({parts_.tiers[tier].name, InodeId(), {.blob = blob.name}, std::move(what)});
}

}  // namespace firn::tier
