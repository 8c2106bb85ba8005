#include "tier/tier_evictor.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/failpoint.h"
#include "io/reactor.h"
#include "io/sync.h"
#include "tier/blob/blob_id.h"

namespace firn::tier {

namespace {

constexpr size_t kPage = 512;
constexpr size_t kBlobsPerSync = 256;  // that begin to leave before any of their objects goes

// Of a tier that says that it is full, this much goes at once.
constexpr uint64_t kFullPercent = 5;
constexpr uint64_t kFullMinBytes = uint64_t{256} << 20;

struct Candidate {
  Timestamp used;
  KeptBlob blob;
};

class Pass {
 public:
  Pass(const TierEvictor::Parts& parts, const TierEvictOptions& options, std::vector<TierRoom> rooms,
       io::CancelToken* token)
      : parts_(parts),
        options_(options),
        rooms_(std::move(rooms)),
        token_(token),
        keepers_(parts.tiering, parts.tiers, options.keepers, token),
        removing_(options.removes_in_flight) {
    rooms_.resize(parts_.tiers.size());
    for (auto* each : {&summary_.held_bytes, &summary_.evicted_blobs, &summary_.evicted_bytes})
      each->resize(parts_.tiers.size());
  }

  io::Task<Result<TierEvictSummary>> run() {
    const std::vector<meta::Blob> left_over = CO_TRY(co_await survey());
    Result<void> done;
    for (size_t tier = 0; tier + 1 < parts_.tiers.size() && !cancelled() && done; ++tier)
      done = co_await go_on(left_over, tier);
    for (size_t tier = 0; tier + 1 < parts_.tiers.size() && !cancelled() && done; ++tier)
      if (const uint64_t bytes = to_free(tier); bytes > 0) done = co_await free(tier, bytes);
    co_await gate_.close();
    CO_TRY(std::move(done));
    if (cancelled()) co_return fail(Code::kInterrupted);
    note_failure(keepers_.first_failure());
    co_return std::move(summary_);
  }

 private:
  bool cancelled() const { return token_ != nullptr && token_->cancelled(); }

  template <class Visit>
  io::Task<Result<void>> for_each_blob(Visit visit) {
    for (std::string after;;) {
      const std::vector<meta::Blob> page = CO_TRY(co_await parts_.tiering.list_blobs(after, kPage));
      for (const meta::Blob& blob : page) visit(blob);
      if (page.size() < kPage || cancelled()) co_return Result<void>();
      after = page.back().name;
      co_await io::stand_back();
    }
  }

  // What each tier holds, and which blobs an earlier pass left half way.
  io::Task<Result<std::vector<meta::Blob>>> survey() {
    std::vector<meta::Blob> left_over;
    CO_TRY(co_await for_each_blob([&](const meta::Blob& blob) {
      for (size_t tier = 0; tier < parts_.tiers.size(); ++tier)
        if ((blob.tiers >> tier & 1) != 0) summary_.held_bytes[tier] += blob.bytes;
      if (blob.leaving != 0) left_over.push_back(blob);
    }));
    co_return left_over;
  }

  // With what was to leave the tier in an earlier pass, which may be long ago.
  io::Task<Result<void>> go_on(const std::vector<meta::Blob>& left_over, size_t tier) {
    std::vector<KeptBlob> blobs;
    for (const meta::Blob& blob : left_over) {
      if ((blob.leaving >> tier & 1) == 0) continue;
      const uint32_t keepers = keepers_of(blob, tier);
      if (blob.dead_since) {
        co_await start_removal(blob.name, tier);
      } else if (is_kept(blob, keepers)) {
        blobs.push_back({blob.name, blob.bytes, keepers});
      } else {
        CO_TRY(co_await take_back(blob.name, blob.bytes, tier));
      }
    }
    const std::vector<bool> kept = CO_TRY(co_await keepers_.ask(blobs));
    for (size_t i = 0; i < blobs.size() && !cancelled(); ++i) {
      if (kept[i])
        co_await start_removal(blobs[i].name, tier);
      else if ((blobs[i].keepers & keepers_.failed()) == 0)
        CO_TRY(co_await take_back(blobs[i].name, blobs[i].bytes, tier));
    }
    co_return Result<void>();
  }

  // A tier behind has lost it meanwhile: where the object is still there, it stays.
  io::Task<Result<void>> take_back(std::string blob, uint64_t bytes, size_t tier) {
    const Tier& from = parts_.tiers[tier];
    const auto there =
        co_await from.store.head(key_of(blob_id_of_name(blob)), io::within(options_.keepers.head_ns, token_));
    if (there && there->bytes == bytes) {
      Result<void> back = co_await parts_.tiering.confirm_blob(blob, uint32_t{1} << tier);
      if (back) summary_.held_bytes[tier] += bytes;
      if (!back && back.error() != Code::kStale) co_return back;
    } else if (there || there.error() == Code::kNotFound) {
      co_await start_removal(std::move(blob), tier);
    } else if (!cancelled()) {
      note_failure(Status(there.error()).with_context("tier " + from.name));
    }
    co_return Result<void>();
  }

  uint64_t to_free(size_t tier) const {
    const TierRoom& room = rooms_[tier];
    const uint64_t held = summary_.held_bytes[tier], most = room.max_bytes;
    const auto percent = [most](unsigned p) { return most / 100 * p + most % 100 * p / 100; };
    uint64_t bytes = 0;
    if (most > 0 && held > percent(room.high_percent)) bytes = held - percent(room.low_percent);
    if (room.full) bytes = std::max(bytes, std::max(held / 100 * kFullPercent, kFullMinBytes));
    return bytes;
  }

  // The tiers behind it that are to have the blob, but for those that made room themselves.
  uint32_t keepers_of(const meta::Blob& blob, size_t tier) const {
    const uint32_t nearer = (uint32_t{2} << tier) - 1;
    return wanted_of(parts_.tiers, blob.skip) & ~nearer & ~blob.left;
  }

  // So say the records.
  static bool is_kept(const meta::Blob& blob, uint32_t keepers) {
    return keepers != 0 && (keepers & ~(blob.tiers & ~blob.unsound)) == 0;
  }

  io::Task<Result<std::vector<Candidate>>> candidates(size_t tier) {
    std::vector<Candidate> found;
    CO_TRY(co_await for_each_blob([&](const meta::Blob& blob) {
      const uint32_t keepers = keepers_of(blob, tier);
      if ((blob.tiers >> tier & 1) == 0 || blob.dead_since || !is_kept(blob, keepers)) return;
      found.push_back({std::max(blob.since, parts_.uses.last(blob.name)), {blob.name, blob.bytes, keepers}});
    }));
    std::ranges::sort(found, {}, [](const Candidate& one) { return std::tie(one.used, one.blob.name); });
    co_return found;
  }

  io::Task<Result<void>> free(size_t tier, uint64_t bytes) {
    const std::vector<Candidate> found = CO_TRY(co_await candidates(tier));
    uint64_t freed = 0;
    for (size_t next = 0; next < found.size() && freed < bytes && !cancelled();) {
      // As many as are enough if all of them may go.
      std::vector<KeptBlob> some;
      for (uint64_t left = bytes - freed; next < found.size() && left > 0 && some.size() < kBlobsPerSync; ++next) {
        const KeptBlob& one = found[next].blob;
        if ((one.keepers & keepers_.failed()) != 0) continue;
        left -= std::min(left, one.bytes);
        some.push_back(one);
      }
      const std::vector<std::string> leaving = CO_TRY(co_await begin(tier, std::move(some), freed));
      if (leaving.empty()) continue;
      // Were the record lost after the object, the tier would be thought to have lost the blob.
      CO_TRY(co_await parts_.meta.sync(parts_.meta.last_version()));
      failpoint("tier_evict.before_remove");
      for (const std::string& blob : leaving) co_await start_removal(blob, tier);
    }
    co_return Result<void>();
  }

  // Which of them leave: their keepers have them, and the records say so. `freed` grows by their bytes.
  io::Task<Result<std::vector<std::string>>> begin(size_t tier, std::vector<KeptBlob> blobs, uint64_t& freed) {
    std::vector<std::string> leaving;
    const std::vector<bool> kept = CO_TRY(co_await keepers_.ask(blobs));
    for (size_t i = 0; i < blobs.size() && !cancelled(); ++i) {
      const KeptBlob& one = blobs[i];
      if (!kept[i]) continue;
      const Result<void> begun = co_await parts_.tiering.begin_leaving(one.name, uint32_t{1} << tier, one.keepers);
      // Somebody was faster: it was retired, forgotten, or a tier has lost it.
      if (!begun && begun.error() != Code::kStale && begun.error() != Code::kBusy && begun.error() != Code::kNotFound)
        co_return fail(begun.error());
      if (!begun) continue;
      freed += one.bytes;
      summary_.held_bytes[tier] -= one.bytes;
      ++summary_.evicted_blobs[tier];
      summary_.evicted_bytes[tier] += one.bytes;
      leaving.push_back(one.name);
    }
    co_return leaving;
  }

  io::Task<void> start_removal(std::string blob, size_t tier) {
    co_await removing_.acquire();
    io::detach(remove(std::move(blob), tier, gate_.enter()));
  }

  io::Task<void> remove(std::string blob, size_t tier, io::Gate::Entry) {
    const std::string key = key_of(blob_id_of_name(blob));
    Result<void> done = co_await parts_.tiers[tier].store.remove(key, io::within(options_.remove_ns, token_));
    failpoint("tier_evict.after_remove");
    if (!done) done = fail(std::move(done).error().with_context("tier " + parts_.tiers[tier].name));
    if (done) done = co_await parts_.tiering.end_leaving(blob, uint32_t{1} << tier);
    // Forgotten: the collector has removed it from everywhere.
    if (!done && done.error() != Code::kNotFound) {
      ++summary_.failed;
      note_failure(done.error());
    }
    removing_.release();
  }

  void note_failure(Status what) {
    if (summary_.first_failure.ok()) summary_.first_failure = std::move(what);
  }

  const TierEvictor::Parts& parts_;
  const TierEvictOptions& options_;
  std::vector<TierRoom> rooms_;
  io::CancelToken* const token_;
  KeeperCheck keepers_;
  io::Semaphore removing_;
  io::Gate gate_;
  TierEvictSummary summary_;
};

}  // namespace

io::Task<Result<TierEvictSummary>> TierEvictor::pass(std::vector<TierRoom> rooms, io::CancelToken* token) {
  Pass one(parts_, options_, std::move(rooms), token);
  co_return co_await one.run();
}

}  // namespace firn::tier
