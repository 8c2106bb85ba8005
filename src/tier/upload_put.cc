// A pass's requests: blobs on their way to tiers, and from one to another that missed them.
#include <algorithm>

#include "base/failpoint.h"
#include "base/metrics.h"
#include "io/reactor.h"
#include "tier/blob/verify.h"
#include "tier/blob_check.h"
#include "tier/metadata/concurrently.h"
#include "tier/nearest_holder.h"
#include "tier/upload_pass.h"

namespace firn::tier {

namespace {

void count_upload(bool arrived, int64_t took_ns) {
  const auto counter = [](const char* outcome) -> metrics::Counter& {
    return metrics::process_registry().counter(
        "firn_tier_uploads_total", "Blobs put to colder tiers, by whether any of them has it.", {{"outcome", outcome}});
  };
  static metrics::Counter& ok = counter("ok");
  static metrics::Counter& failed = counter("failed");
  static metrics::Histogram& seconds = metrics::process_registry().histogram(
      "firn_tier_upload_seconds", "How long putting a blob to all of its tiers took.");
  (arrived ? ok : failed).add();
  seconds.record(static_cast<uint64_t>(took_ns));
}

}  // namespace

io::Task<Result<void>> UploadPass::put_to_tiers(Packing& packing) {
  const std::string name = name_of(packing.writer.id());
  const object::Content content = packing.writer.finish();
  CO_TRY(co_await parts_.tiering.announce_blob(name, content.bytes(), packing.skip, 0));
  CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
  failpoint("upload.before_put");
  const uint32_t wanted = wanted_of(parts_.tiers, packing.skip);
  Clock& clock = io::Reactor::current()->clock();
  const int64_t began_ns = clock.monotonic_ns();
  const uint32_t arrived = co_await put_to(wanted, name, content);
  count_upload(arrived != 0, clock.monotonic_ns() - began_ns);
  failpoint("upload.after_put");
  if (arrived == 0) co_return fail(summary_.first_failure);
  CO_TRY(co_await parts_.tiering.confirm_blob(name, arrived));
  ++summary_.blobs;
  summary_.blob_bytes += content.bytes();
  packing.lagging = arrived != wanted;
  co_return Result<void>();
}

// Side by side: what one tier is late with keeps no other from its blob.
io::Task<uint32_t> UploadPass::put_to(uint32_t tiers, std::string name, object::Content content) {
  std::vector<size_t> asked;
  for (size_t i = 0; i < parts_.tiers.size(); ++i)
    if (((tiers & ~out_of_reach_) >> i & 1) != 0) asked.push_back(i);
  const BlobPut put{.key = key_of(blob_id_of_name(name)), .content = std::move(content), .several = asked.size() > 1};
  uint32_t arrived = 0;
  (void)co_await concurrently(asked.size(), kMaxTiers, [&](size_t i) { return put_to_one(asked[i], put, arrived); });
  co_return arrived;
}

io::Task<Result<void>> UploadPass::put_to_one(size_t tier, const BlobPut& put, uint32_t& arrived) {
  io::CancelToken stop;
  const io::CancelToken::Scope passed_on(token_, [&stop] { stop.cancel(); });
  const io::CancelToken::Scope given_up(&given_up_[tier], [&stop] { stop.cancel(); });
  const uint32_t bit = uint32_t{1} << tier;
  // Others are not to wait for one that has been failing: it is asked for something small first.
  const object::Health* const health = parts_.tiers[tier].health;
  if (put.several && health != nullptr && health->report().failing && co_await within_reach(bit, put.key) == 0)
    co_return Result<void>();
  const int64_t deadline_ns = put.several ? std::min(options_.put_ns, options_.put_beside_ns) : options_.put_ns;
  Result<void> done = co_await parts_.tiers[tier].store.put(put.key, put.content, {}, io::within(deadline_ns, &stop));
  if (done) done = co_await expect_there(tier, put.key, put.content.bytes(), &stop);
  if (!done) {
    give_up(tier, std::move(done).error());
    co_return Result<void>();
  }
  arrived |= bit;
  if (put.several && std::popcount(arrived) == 1) failpoint("upload.between_tiers");
  co_return Result<void>();
}

// Soon the local disk may have it no more: that a store says that it has stored it is not enough.
io::Task<Result<void>> UploadPass::expect_there(size_t tier, std::string key, uint64_t bytes, io::CancelToken* token) {
  const Result<object::ObjectInfo> there =
      co_await parts_.tiers[tier].store.head(std::move(key), io::within(options_.put_ns, token));
  if (there && there->bytes == bytes) co_return Result<void>();
  if (there || there.error() == Code::kNotFound)
    co_return fail(Code::kIo, "it answered that it had stored an object, and does not have it");
  co_return fail(there.error());
}

// Those of `tiers` that answer: a blob is not to be fetched for one that does not.
io::Task<uint32_t> UploadPass::within_reach(uint32_t tiers, std::string key) {
  for (size_t i = 0; i < parts_.tiers.size(); ++i) {
    const uint32_t bit = uint32_t{1} << i;
    if ((tiers & ~out_of_reach_ & ~in_reach_ & bit) == 0) continue;
    Result<object::ObjectInfo> there = co_await parts_.tiers[i].store.head(key, io::within(options_.reach_ns, token_));
    if (there || there.error() == Code::kNotFound) {
      in_reach_ |= bit;
      continue;
    }
    give_up(i, std::move(there).error());
  }
  co_return tiers & ~out_of_reach_;
}

io::Task<Result<std::string>> UploadPass::read_blob(const meta::Blob& blob, const Tier& tier) {
  const BlobId id = blob_id_of_name(blob.name);
  std::string bytes =
      CO_TRY(co_await object::get_all(tier.store, key_of(id), kMaxBlobBytes, io::within(options_.put_ns, token_)));
  // Damage is not to be copied.
  const Status sound = co_await parts_.pool.run([&] { return verify_stored(bytes, id); });
  if (!sound.ok() || bytes.size() != blob.bytes)
    co_return fail(Code::kCorrupt, "what another tier lacks is damaged there");
  co_return bytes;
}

io::Task<void> UploadPass::report_damage(const meta::Blob& blob, size_t tier, Status what) {
  if (!options_.on_damage) co_return;
  // The collector may have come in between, or the tier have made room.
  const Result<meta::Blob> now = co_await parts_.tiering.get_blob(blob.name);
  if (!now || now->dead_since || (now->left >> tier & 1) != 0) co_return;
  options_.on_damage({parts_.tiers[tier].name, InodeId(), {.blob = blob.name}, std::move(what)});
}

io::Task<Result<std::string>> UploadPass::read_anywhere(const meta::Blob& blob) {
  const std::string key = key_of(blob_id_of_name(blob.name));
  Status failure(Code::kCorrupt, "no tier has it");
  for (uint32_t left = blob.tiers & all_of(parts_.tiers); left != 0;) {
    std::vector<TierOrder::Failure> failures;
    const auto holder = co_await nearest_holder(hydrator_.order(), parts_.tiers, left, key, failures, token_);
    if (holder) {
      Result<std::string> bytes = co_await read_blob(blob, parts_.tiers[*holder]);
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

io::Task<bool> UploadPass::copy_blob(meta::Blob blob, uint32_t lacking) {
  if (co_await within_reach(lacking, key_of(blob_id_of_name(blob.name))) == 0) co_return false;
  Result<std::string> bytes = co_await read_anywhere(blob);
  if (!bytes) {
    note_failure(bytes.error());
    co_return false;
  }
  const uint32_t arrived = co_await put_to(lacking, blob.name, object::Content(*std::move(bytes)));
  if (arrived == 0) co_return false;
  failpoint("upload.after_copy");
  if (!co_await parts_.tiering.confirm_blob(blob.name, arrived)) co_return false;
  ++summary_.copied_blobs;
  co_return arrived == lacking;
}

}  // namespace firn::tier
