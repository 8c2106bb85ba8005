// A pass's requests: blobs on their way to tiers, and from one to another that missed them.
#include <algorithm>

#include "base/failpoint.h"
#include "base/metrics.h"
#include "io/reactor.h"
#include "tier/blob_copy.h"
#include "tier/metadata/concurrently.h"
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
  const uint32_t arrived = co_await put_to({.tiers = wanted, .name = name, .content = content});
  count_upload(arrived != 0, clock.monotonic_ns() - began_ns);
  failpoint("upload.after_put");
  if (arrived == 0 && summary_.first_failure.ok())
    co_return fail(Code::kTimedOut, "the tiers that are to have it are late");
  if (arrived == 0) co_return fail(summary_.first_failure);
  CO_TRY(co_await parts_.tiering.confirm_blob(name, arrived));
  ++summary_.blobs;
  summary_.blob_bytes += content.bytes();
  packing.lacking = wanted & ~arrived;
  leave_to_late(packing.lacking, name);
  co_return Result<void>();
}

// Side by side: what one tier is late with keeps no other from its blob.
io::Task<uint32_t> UploadPass::put_to(Outgoing blob) {
  const std::vector<size_t> asked = asked_for(blob.tiers);
  BlobPut put{.key = key_of(blob_id_of_name(blob.name)),
              .content = std::move(blob.content),
              .several = asked.size() > 1 || blob.is_elsewhere,
              .began_ns = io::Reactor::current()->clock().monotonic_ns(),
              .running = asked.size()};
  if (blob.is_elsewhere) put.one_has_it.cancel();
  if (asked.empty()) co_return 0;
  (void)co_await concurrently(asked.size() + 1, kMaxTiers + 1,
                              [&](size_t i) { return i < asked.size() ? put_to_one(asked[i], put) : end_late(put); });
  co_return put.arrived;
}

// What goes to late tiers alone nobody else can give them.
std::vector<size_t> UploadPass::asked_for(uint32_t tiers) const {
  const uint32_t in_reach = (tiers & ~late_) != 0 ? tiers & ~out_of_reach_ : tiers;
  std::vector<size_t> asked;
  for (size_t i = 0; i < parts_.tiers.size(); ++i)
    if ((in_reach >> i & 1) != 0) asked.push_back(i);
  return asked;
}

io::Task<Result<void>> UploadPass::put_to_one(size_t tier, BlobPut& put) {
  const Result<void> done = co_await send_to_one(tier, put);
  if (done) {
    put.arrived |= uint32_t{1} << tier;
    put.one_has_it.cancel();
    if (put.several && std::popcount(put.arrived) == 1) failpoint("upload.between_tiers");
  } else if (put.too_late.cancelled() && done.error() == Code::kInterrupted && !cancelled()) {
    note_late(tier);
  } else {
    give_up(tier, done.error());
  }
  if (--put.running == 0) {
    put.all_ended.cancel();
    put.one_has_it.cancel();  // or none ever will
  }
  co_return Result<void>();
}

io::Task<Result<void>> UploadPass::send_to_one(size_t tier, BlobPut& put) {
  io::CancelToken stop;
  const io::CancelToken::Scope passed_on(token_, [&stop] { stop.cancel(); });
  const io::CancelToken::Scope given_up(&given_up_[tier], [&stop] { stop.cancel(); });
  const io::CancelToken::Scope too_late(&put.too_late, [&stop] { stop.cancel(); });
  // Others are not to wait for one that has been failing: it is asked for something small first.
  const object::Health* const health = parts_.tiers[tier].health;
  const uint32_t bit = uint32_t{1} << tier;
  if (put.several && health != nullptr && health->report().failing && co_await within_reach(bit, put.key) == 0)
    co_return fail(Code::kUnavailable, "it does not answer");
  const int64_t deadline_ns = put.several ? std::min(options_.put_ns, options_.put_beside_ns) : options_.put_ns;
  co_return co_await put_surely(parts_.tiers[tier].store, put.key, put.content, deadline_ns, &stop);
}

io::Task<Result<void>> UploadPass::end_late(BlobPut& put) {
  Clock& clock = io::Reactor::current()->clock();
  (void)co_await io::sleep_for(io::kForeverNs, &put.one_has_it);
  const int64_t took_ns = clock.monotonic_ns() - put.began_ns;
  const int64_t patience_ns = std::max(options_.late_ns, options_.late_factor * took_ns);
  if (co_await io::sleep_for(patience_ns, &put.all_ended)) put.too_late.cancel();
  co_return Result<void>();
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

io::Task<bool> UploadPass::copy_blob(meta::Blob blob, uint32_t lacking) {
  if (co_await within_reach(lacking, key_of(blob_id_of_name(blob.name))) == 0) co_return false;
  BlobReader reader(parts_, options_, hydrator_.order());
  Result<std::string> bytes = co_await reader.read(blob, token_);
  if (!bytes) {
    note_failure(bytes.error());
    co_return false;
  }
  object::Content content(*std::move(bytes));
  const uint32_t arrived =
      co_await put_to({.tiers = lacking, .name = blob.name, .content = std::move(content), .is_elsewhere = true});
  if (arrived == 0) co_return false;
  failpoint("upload.after_copy");
  if (!co_await parts_.tiering.confirm_blob(blob.name, arrived)) co_return false;
  ++summary_.copied_blobs;
  co_return arrived == lacking;
}

}  // namespace firn::tier
