#include "tier/collect_pass.h"

#include <algorithm>

#include "base/failpoint.h"
#include "io/reactor.h"

namespace firn::tier {

namespace {

constexpr size_t kContentsAtOnce = 1024;  // looked at in one transaction

}  // namespace

CollectPass::CollectPass(const Collector::Parts& parts, const CollectOptions& options, io::CancelToken* token)
    : parts_(parts),
      options_(options),
      token_(token),
      now_(io::Reactor::current()->clock().now()),
      hydrator_({parts.meta, parts.tiering, parts.pool, parts.tiers},
                {.key = options.key, .get_ns = options.get_ns, .on_damage = options.on_damage}),
      repacker_({parts.meta, parts.tiering, parts.pool, parts.random, parts.tiers},
                {.codec = options.codec, .key = options.key, .dedup = options.dedup, .put_ns = options.put_ns}, token),
      removing_(options.removes_in_flight) {}

io::Task<Result<CollectSummary>> CollectPass::run() {
  summary_.removed_bytes.resize(parts_.tiers.size());
  for (std::string after;;) {
    const std::vector<meta::BlobCount> counts = CO_TRY(co_await count(after));
    CO_TRY(co_await collect(after, counts));
    if (counts.size() < kBlobsPerCount) break;
    after = counts.back().blob.name;
  }
  CO_TRY(co_await drop_contents());
  CO_TRY(co_await repack_candidates());
  if (cancelled()) co_return fail(Code::kInterrupted);
  if (!options_.dry_run) CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
  co_return std::move(summary_);
}

io::Task<Result<std::vector<meta::BlobCount>>> CollectPass::count(std::string after) {
  return parts_.tiering.count_blobs(std::move(after), kBlobsPerCount, [this](uint64_t chunks) {
    progress("counting", chunks);
    return !cancelled();
  });
}

io::Task<Result<void>> CollectPass::collect(const std::string& after, const std::vector<meta::BlobCount>& counts) {
  for (const meta::BlobCount& one : counts) CO_TRY(co_await judge(one));
  failpoint("collect.after_retire");
  if (!retired_.empty()) CO_TRY(co_await prove_retired(after));
  co_return co_await remove_due();
}

io::Task<Result<void>> CollectPass::judge(meta::BlobCount count) {
  ++summary_.blobs;
  const bool counter_is_right = CO_TRY(co_await check_counter(count));
  if (count.references > 0) {
    ++summary_.live;
    // A chunk had come to refer to it between the count that found none and its being retired.
    if (count.blob.dead_since && !options_.dry_run) CO_TRY(co_await parts_.tiering.revive_blob(count.blob.name));
    if (is_candidate(count)) candidates_.push_back(std::move(count));
    co_return Result<void>();
  }
  ++summary_.dead;
  if (counter_is_right) co_return co_await judge_dead(std::move(count.blob));
  ++summary_.waiting;
  co_return Result<void>();
}

io::Task<Result<bool>> CollectPass::check_counter(const meta::BlobCount& count) {
  if (count.blob.live_bytes == count.referenced_bytes) co_return true;
  ++summary_.wrong_counters;
  if (!options_.mend_counters || options_.dry_run) co_return false;
  // The count and the counter are of one snapshot: what they differ by is wrong, whatever has changed since.
  CO_TRY(co_await parts_.tiering.mend_blob(count.blob.name,
                                           static_cast<int64_t>(count.referenced_bytes - count.blob.live_bytes)));
  ++summary_.mended_counters;
  co_return true;
}

io::Task<Result<void>> CollectPass::judge_dead(meta::Blob blob) {
  if (blob.dead_since) {
    if (is_due(blob)) {
      due_.push_back(std::move(blob));
    } else {
      ++summary_.waiting;
    }
    co_return Result<void>();
  }
  // What was announced before the count and is under way no more has references by now, or never will.
  if (options_.under_way != nullptr && options_.under_way->contains(blob.name)) {
    ++summary_.waiting;
    co_return Result<void>();
  }
  const bool everywhere = (wanted_of(parts_.tiers, blob.skip) & ~(blob.tiers | blob.left)) == 0;
  const bool in_flight = !everywhere && !(blob.since < options_.putting_since);
  bool retired =
      is_past(blob.since, in_flight ? std::max(options_.grace_ns, options_.in_flight_ns) : options_.grace_ns);
  if (retired && !options_.dry_run) retired = CO_TRY(co_await parts_.tiering.retire_blob(blob.name));
  if (retired) blob.dead_since = now_;
  if (!retired || !is_due(blob)) {
    ++summary_.waiting;
  } else {
    retired_.push_back(std::move(blob));
  }
  co_return Result<void>();
}

// A clock that was set back makes everything younger.
bool CollectPass::is_past(Timestamp then, int64_t ns) const {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t seconds = now_.seconds - then.seconds;
  if (seconds != ns / kSecond) return seconds > ns / kSecond;
  return int64_t{now_.nanoseconds} - int64_t{then.nanoseconds} >= ns % kSecond;
}

bool CollectPass::is_due(const meta::Blob& blob) const {
  // Chunks come to refer to a blob once it is confirmed: to one that never was, no state of the metadata refers.
  return blob.tiers == 0 || is_past(*blob.dead_since, options_.grace_ns);
}

io::Task<Result<void>> CollectPass::prove_retired(const std::string& after) {
  std::vector<meta::Blob> retired = std::exchange(retired_, {});
  if (options_.dry_run) {
    std::ranges::move(retired, std::back_inserter(due_));
    co_return Result<void>();
  }
  const std::vector<meta::BlobCount> counts = CO_TRY(co_await count(after));
  for (meta::Blob& blob : retired) {
    const auto found = std::ranges::lower_bound(
        counts, blob.name, {}, [](const meta::BlobCount& one) -> const std::string& { return one.blob.name; });
    if (found != counts.end() && found->blob.name == blob.name && found->references == 0) {
      due_.push_back(found->blob);
    } else {
      ++summary_.waiting;
      if (found != counts.end() && found->blob.name == blob.name)
        CO_TRY(co_await parts_.tiering.revive_blob(blob.name));
    }
  }
  co_return Result<void>();
}

io::Task<Result<void>> CollectPass::remove_due() {
  std::vector<meta::Blob> due = std::exchange(due_, {});
  if (due.empty()) co_return Result<void>();
  if (!options_.dry_run) CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
  if (options_.before_remove) {
    const Result<Timestamp> until = co_await options_.before_remove();
    if (!until) {
      summary_.failed += due.size();
      note_failure(until.error());
      co_return Result<void>();
    }
    const size_t held = std::erase_if(due, [&](const meta::Blob& blob) { return *until < *blob.dead_since; });
    summary_.held += held;
    summary_.waiting += held;
  }
  // Who is about to put one somewhere saw it before it was retired: nobody will from now on.
  if (options_.under_way != nullptr)
    summary_.waiting +=
        std::erase_if(due, [this](const meta::Blob& blob) { return options_.under_way->contains(blob.name); });
  if (options_.dry_run) {
    summary_.removed += due.size();
    for (const meta::Blob& blob : due)
      for (size_t i = 0; i < parts_.tiers.size(); ++i)
        if ((blob.tiers >> i & 1) != 0) summary_.removed_bytes[i] += blob.bytes;
    co_return Result<void>();
  }
  failpoint("collect.before_remove");
  io::Gate gate;
  for (const meta::Blob& blob : due) {
    if (cancelled()) break;
    co_await removing_.acquire();
    io::detach(remove(blob, gate.enter()));
  }
  co_await gate.close();
  co_return Result<void>();
}

io::Task<void> CollectPass::remove(meta::Blob blob, io::Gate::Entry) {
  Result<void> done = co_await remove_objects(blob);
  failpoint("collect.after_remove");
  if (done) done = co_await parts_.tiering.forget_blob(blob.name);
  failpoint("collect.after_forget");
  if (done) {
    progress("removing", ++summary_.removed);
  } else {
    ++summary_.failed;
    note_failure(std::move(done).error());
  }
  removing_.release();
}

// From every tier but those that it was not to go to: one that it was never confirmed for may have it all the same.
io::Task<Result<void>> CollectPass::remove_objects(const meta::Blob& blob) {
  const std::string key = key_of(blob_id_of_name(blob.name));
  Result<void> done;
  const uint32_t anywhere = wanted_of(parts_.tiers, blob.skip) | blob.tiers;
  for (size_t i = 0; i < parts_.tiers.size(); ++i) {
    if ((anywhere >> i & 1) == 0) continue;
    if (i > 0) failpoint("collect.between_tiers");
    Result<void> removed = co_await parts_.tiers[i].store.remove(key, io::within(options_.remove_ns, token_));
    if (removed && (blob.tiers >> i & 1) != 0) summary_.removed_bytes[i] += blob.bytes;
    if (!removed && done) done = fail(std::move(removed).error().with_context("tier " + parts_.tiers[i].name));
  }
  co_return done;
}

io::Task<Result<void>> CollectPass::drop_contents() {
  // Nothing follows them: what a crash leaves may wait for the next blob that goes.
  if (options_.dry_run || summary_.removed == 0) co_return Result<void>();
  std::string after;
  do {
    after = CO_TRY(co_await parts_.tiering.drop_dead_contents(std::move(after), kContentsAtOnce));
    co_await io::stand_back();
  } while (!after.empty() && !cancelled());
  co_return Result<void>();
}

void CollectPass::note_failure(Status failure) {
  if (summary_.first_failure.ok()) summary_.first_failure = std::move(failure);
}

io::Task<Result<CollectSummary>> Collector::pass(io::CancelToken* token) {
  CollectPass one(parts_, options_, token);
  co_return co_await one.run();
}

}  // namespace firn::tier
