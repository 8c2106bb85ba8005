// A pass's requests: blobs on their way to tiers, and from one to another that missed them.
#include <algorithm>

#include "base/failpoint.h"
#include "base/metrics.h"
#include "io/reactor.h"
#include "tier/blob_copy.h"
#include "tier/blob_put.h"
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
  const bool several = asked.size() > 1 || blob.is_elsewhere;
  const std::string key = key_of(blob_id_of_name(blob.name));
  BlobPut::Options options{
      .put_ns = several ? std::min(options_.put_ns, options_.put_beside_ns) : options_.put_ns,
      .patience = {{.least_ns = options_.late_ns, .factor = options_.late_factor, .is_elsewhere = blob.is_elsewhere}},
      .token = token_,
      .tokens_of_tiers = &given_up_,
      .on_first = [] { failpoint("upload.between_tiers"); },
      .on_failure =
          [this](const BlobPut::Failure& failure) {
            if (failure.late) {
              note_late(failure.tier);
            } else {
              give_up(failure.tier, failure.why);
            }
          }};
  if (several) options.before = [this, &key](size_t tier) { return try_failing(tier, key); };
  BlobPut put(parts_.tiers, key, std::move(blob.content), std::move(options));
  co_return co_await put.to(asked);
}

// What goes to late tiers alone nobody else can give them.
std::vector<size_t> UploadPass::asked_for(uint32_t tiers) const {
  const uint32_t in_reach = (tiers & ~late_) != 0 ? tiers & ~out_of_reach_ : tiers;
  std::vector<size_t> asked;
  for (size_t i = 0; i < parts_.tiers.size(); ++i)
    if ((in_reach >> i & 1) != 0) asked.push_back(i);
  return asked;
}

// Others are not to wait for one that has been failing: it is asked for something small first.
io::Task<Result<void>> UploadPass::try_failing(size_t tier, std::string key) {
  const object::Health* const health = parts_.tiers[tier].health;
  if (health == nullptr || !health->report().failing) co_return Result<void>();
  if (co_await within_reach(uint32_t{1} << tier, std::move(key)) != 0) co_return Result<void>();
  co_return fail(Code::kUnavailable, "it does not answer");
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

io::Task<uint32_t> UploadPass::copy_blob(meta::Blob blob, uint32_t lacking) {
  if (co_await within_reach(lacking, key_of(blob_id_of_name(blob.name))) == 0) co_return 0;
  BlobReader reader(parts_, options_, hydrator_.order());
  Result<std::string> bytes = co_await reader.read(blob, token_);
  if (!bytes) {
    note_failure(bytes.error());
    co_return 0;
  }
  object::Content content(*std::move(bytes));
  const uint32_t arrived =
      co_await put_to({.tiers = lacking, .name = blob.name, .content = std::move(content), .is_elsewhere = true});
  if (arrived == 0) co_return 0;
  failpoint("upload.after_copy");
  if (!co_await parts_.tiering.confirm_blob(blob.name, arrived)) co_return 0;
  ++summary_.copied_blobs;
  co_return arrived;
}

}  // namespace firn::tier
