#include "vfs/settling.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "io/reactor.h"

namespace firn::vfs {

namespace {

constexpr int64_t kLookNs = 200'000'000;
constexpr int64_t kFirstPauseNs = 1'000'000'000;  // after an upload that failed; doubles
constexpr int64_t kLongestPauseNs = 60'000'000'000;
constexpr size_t kPage = 512;
// Of what there may be, what came back of files that are being read, and cannot be evicted: writers need room as well.
constexpr uint64_t kOpenPartsPercent = 50;

// A file that no tier is ever given keeps nobody else waiting.
bool is_well(const tier::UploadSummary& summary) { return summary.first_failure.ok() || summary.only_refused; }

}  // namespace

// Counting takes a twentieth of the time at most.
io::Task<void> Settling::look_at_pending_again() {
  constexpr int64_t kEveryNs = 1'000'000'000;
  const uint64_t ever_closed = ever_closed_bytes_;
  const int64_t began = parts_.clock.monotonic_ns();
  if (ever_closed == counted_at_bytes_ || began < no_count_before_ns_) co_return;
  counted_at_bytes_ = ever_closed;
  co_await look_at_pending();
  const int64_t now = parts_.clock.monotonic_ns();
  no_count_before_ns_ = now + std::max(kEveryNs, 20 * (now - began));
}

io::Task<void> Settling::look_at_pending() {
  uint64_t files = 0, bytes = 0;
  Timestamp oldest;
  for (InodeId after;;) {
    const auto page = co_await parts_.tiers.tiering.list_pending(after, kPage);
    if (!page) co_return;
    for (const meta::Pending& one : *page) {
      if (oldest == Timestamp() || one.since < oldest) oldest = one.since;
      const Result<meta::Attr> attr = co_await parts_.meta.getattr(one.inode);
      if (attr) bytes += attr->size;
    }
    files += page->size();
    if (page->size() < kPage) break;
    after = page->back().inode;
    co_await io::yield();
  }
  std::lock_guard lock(mutex_);
  told_.pending_files = files;
  told_.pending_bytes = bytes;
  told_.oldest_pending = oldest;
}

void Settling::note(const tier::UploadSummary& summary) {
  std::lock_guard lock(mutex_);
  told_.uploaded_files += summary.files;
  told_.pending_files -= std::min(told_.pending_files, summary.files);
  told_.pending_bytes -= std::min(told_.pending_bytes, summary.file_bytes);
  if (summary.files > 0) more_can_go_ = true;
  told_.uploaded_blobs += summary.blobs;
  told_.uploaded_bytes += summary.blob_bytes;
  told_.shared_bytes += summary.shared_bytes;
  const bool was_failing = !told_.last_failure.ok();
  told_.last_failure = summary.first_failure;
  if (summary.first_failure.ok()) {
    if (was_failing) log::info("uploads succeed again");
    told_.failing_since_ns = 0;
  } else if (!was_failing) {
    told_.failing_since_ns = parts_.clock.monotonic_ns();
    log::warning("uploads fail, and are tried again: {}", summary.first_failure.to_string());
  }
}

io::Task<Result<tier::UploadSummary>> Settling::pass(Round round, tier::UploadLimits limits, io::CancelToken* token) {
  auto lock = co_await uploading_.lock();
  busy_ = true;
  if (!in_round_ || round == Round::kBegins) co_await look_at_pending();
  if (round == Round::kBegins) parts_.tiers.uploader.begin_round();
  const uint64_t closed = closed_bytes_.load();
  co_await parts_.before_upload();
  const Status allowed = permitted();
  Result<tier::UploadSummary> summary = fail(allowed);
  const bool of_all = limits.only == nullptr && !limits.pending_by;
  limits.rate_now = [this] { return throttle_.bytes_per_s(); };
  if (allowed.ok()) summary = co_await parts_.tiers.uploader.pass(token, std::move(limits));
  if (summary) {
    note(*summary);
    if (is_well(*summary) && !summary->more && of_all) closed_bytes_.fetch_sub(closed);
  } else {
    note({.first_failure = summary.error()});
  }
  // Counting takes as long as it takes a pass to find its files.
  in_round_ = summary && (summary->more || summary->again);
  if (!summary || !summary->more) co_await look_at_pending();
  busy_ = false;
  co_return summary;
}

io::Task<void> Settling::upload_loop(io::CancelToken* token) {
  co_await look_at_pending();
  int64_t pause_ns = 0;
  bool more = false;
  for (int64_t last = parts_.clock.monotonic_ns();;) {
    if (!co_await io::sleep_for(kLookNs, token)) co_return;
    co_await look_at_pending_again();
    const int64_t now = parts_.clock.monotonic_ns();
    const bool due = more || now - last >= options_.flush_interval_ns || closed_bytes_.load() >= options_.flush_bytes;
    // What one tier does not get, for it is away, is no reason to let the others wait.
    if (!due || (!more && now - last < pause_ns)) continue;
    const Result<tier::UploadSummary> done = co_await pass(Round::kGoesOn, {}, token);
    last = parts_.clock.monotonic_ns();
    const bool failed = !done || !is_well(*done);
    more = done && (done->more || done->again);
    if (more) continue;
    pause_ns = failed ? std::clamp(2 * pause_ns, kFirstPauseNs, kLongestPauseNs) : 0;
  }
}

io::Task<void> Settling::catch_up_loop(io::CancelToken* token) {
  io::Gate gate;
  while (co_await io::sleep_for(kLookNs, token)) {
    const uint32_t late = parts_.tiers.uploader.late().tiers();
    for (size_t tier = 0; tier < parts_.tiers.names.size(); ++tier)
      if ((late >> tier & 1) != 0 && permitted().ok() && !catching_up_[tier].exchange(true))
        io::detach(catch_up(tier, token, gate.enter()));
  }
  co_await gate.close();
  catch_up_ended_ = true;
}

io::Task<void> Settling::catch_up(size_t tier, io::CancelToken* token, io::Gate::Entry) {
  const std::string& name = parts_.tiers.names[tier];
  log::info("tier {} is late: it gets what it lacks beside the others", name);
  const Result<uint64_t> done = co_await parts_.tiers.uploader.catch_up(tier, token);
  catching_up_[tier] = false;
  if (done) {
    log::info("tier {} has caught up: it got {} blobs", name, *done);
    co_return;
  }
  if (token->cancelled()) co_return;
  log::warning("a late tier does not catch up, and is asked anew: {}", done.error().to_string());
  std::lock_guard lock(mutex_);
  ++catch_ups_failed_;
  catch_up_failure_ = done.error();
}

io::Task<Result<void>> Settling::caught_up(io::CancelToken* token) {
  const tier::LateTiers& late = parts_.tiers.uploader.late();
  const uint64_t mark = late.mark();
  uint64_t failed_before;
  {
    std::lock_guard lock(mutex_);
    failed_before = catch_ups_failed_;
  }
  while (late.lacking(late.tiers(), mark) != 0) {
    if (catch_up_ended_ || !co_await io::sleep_for(kLookNs, token))
      co_return fail(Code::kInterrupted, "it was stopped");
    if (const Status allowed = permitted(); !allowed.ok()) co_return fail(allowed);
  }
  std::lock_guard lock(mutex_);
  if (catch_ups_failed_ != failed_before) co_return fail(catch_up_failure_);
  co_return Result<void>();
}

io::Task<Result<void>> Settling::upload(InodeId inode, io::CancelToken* token) {
  if (const Status allowed = permitted(); !allowed.ok()) co_return fail(allowed);
  const tier::UploadSummary done = CO_TRY(co_await parts_.tiers.uploader.upload(inode, token));
  std::lock_guard lock(mutex_);
  told_.uploaded_blobs += done.blobs;
  told_.uploaded_bytes += done.blob_bytes;
  told_.shared_bytes += done.shared_bytes;
  co_return Result<void>();
}

io::Task<Result<tier::UploadSummary>> Settling::flush(const FileSet* only, io::CancelToken* token) {
  const UploadThrottle::Hurry hurry(throttle_);
  tier::UploadSummary all;
  uint64_t files_of_round = 0, late_of_round = 0;
  tier::UploadLimits limits{.rate_now = {}, .only = only};
  bool begins = true;
  for (Round round = Round::kBegins;;) {
    const tier::UploadSummary one = CO_TRY(co_await pass(round, limits, token));
    // By then it has been recorded what was closed before.
    if (!limits.pending_by) limits.pending_by = parts_.clock.now();
    if (begins) all.postponed = all.failed = files_of_round = late_of_round = 0;
    begins = !one.more;
    all.files += one.files;
    all.chunks += one.chunks;
    all.chunk_bytes += one.chunk_bytes;
    all.blobs += one.blobs;
    all.blob_bytes += one.blob_bytes;
    all.shared += one.shared;
    all.shared_bytes += one.shared_bytes;
    all.postponed += one.postponed;
    all.failed += one.failed;
    all.first_failure = one.first_failure;
    all.only_refused = one.only_refused;
    files_of_round += one.files;
    late_of_round += one.late;
    round = one.more || one.again ? Round::kGoesOn : Round::kBegins;
    if (round == Round::kGoesOn) continue;
    if (!is_well(one) || files_of_round + late_of_round == 0) break;
    if (late_of_round == 0) continue;
    if (const Result<void> arrived = co_await caught_up(token); !arrived) {
      all.first_failure = arrived.error();
      break;
    }
  }
  // That files did not arrive is the better reason.
  if (!parts_.tiers.ship_metadata || !is_well(all)) co_return all;
  const Result<void> shipped = co_await parts_.tiers.ship_metadata();
  if (!shipped) all.first_failure = Status(shipped.error()).with_context("metadata, tier " + parts_.tiers.names.back());
  co_return all;
}

uint64_t Settling::to_free(const HotUse& use) const {
  return use.above(options_.high_percent) > 0 ? use.above(options_.low_percent) : 0;
}

io::Task<Settling::Use> Settling::use() {
  co_await local_.look_at_open();
  // In this order: what settles in between is counted once, or not yet, but not twice.
  const uint64_t hot = local_.whole_bytes() + local_.part_bytes();
  const uint64_t open_bytes = options_.hot_max_bytes ? co_await parts_.open_bytes() : 0;
  const HotUse by_setting = use_of_setting(hot + open_bytes);
  const Result<io::DiskUsage> disk = co_await parts_.data.usage();
  if (!disk) co_return Use{by_setting, by_setting};
  const HotUse by_disk = use_of_disk(*disk);
  if (options_.hot_max_bytes == 0) co_return Use{by_disk, by_disk};
  // Whichever asks for more: one that is below its high watermark asks for nothing.
  const bool disk_is_fuller = to_free(by_disk) > to_free(by_setting);
  const bool disk_is_tighter = by_disk.pressure() > by_setting.pressure();
  co_return Use{disk_is_fuller ? by_disk : by_setting, disk_is_tighter ? by_disk : by_setting};
}

void Settling::tell_room(const Room::Seen& seen) {
  if (!room_.end_look(seen)) return;
  const std::string holds =
      fmt::format("the local disk holds {} of {}", human_size(seen.use.used), human_size(seen.use.limit));
  switch (room_.state()) {
    case RoomState::kFree:
      log::info("{}: there is room again", holds);
      break;
    case RoomState::kTight:
      log::info("{}, and nothing can be evicted", holds);
      break;
    case RoomState::kSlowed:
      log::warning("{}, and nothing can be evicted: writers are slowed", holds);
      break;
    case RoomState::kFull:
      log::error("{}, and nothing can be evicted: writes fail", holds);
      break;
  }
}

io::Task<void> Settling::look(io::CancelToken* token) {
  constexpr int64_t kRestNs = 15'000'000'000;
  ++looks_begun_;
  Room::Seen seen{.noted = room_.begin_look()};
  Use now = co_await use();
  const bool must_free = to_free(now.evicting) > 0;
  if (!must_free) stuck_ = false;
  // Where nothing can go, there is no use in looking for it every second.
  const bool more = more_can_go_.exchange(false);
  if (must_free && parts_.evict && (more || parts_.clock.monotonic_ns() >= no_attempt_before_ns_)) {
    stuck_ = !co_await free_some(to_free(now.evicting), token);
    no_attempt_before_ns_ = stuck_ ? parts_.clock.monotonic_ns() + kRestNs : 0;
    seen.noted = room_.begin_look();
    now = co_await use();
  }
  hot_limit_ = now.evicting.limit;
  // Of what nobody reads, there would be something to evict.
  has_room_ = now.evicting.used < now.evicting.limit && !stuck_;
  most_open_parts_ = now.evicting.limit / 100 * kOpenPartsPercent;
  seen.use = now.writing;
  seen.stuck = stuck_;
  seen.now_ns = parts_.clock.monotonic_ns();
  tell_room(seen);
  needs_room_ = now.evicting.above(options_.high_percent) > 0;
  ++looks_ended_;
}

io::Task<void> Settling::look_at_writers() {
  if (options_.busy_bytes_per_s == 0 || !uploads()) {
    throttle_.forget();
    co_return;
  }
  const uint64_t open_bytes = co_await parts_.open_bytes();
  throttle_.note(ever_closed_bytes_ + open_bytes, needs_room_, parts_.clock.monotonic_ns());
}

io::Task<void> Settling::evict_loop(io::CancelToken* token) {
  constexpr int kLooksAtWriters = 4;  // for each at the disk
  constexpr int64_t kEveryNs = 1'000'000'000 / kLooksAtWriters;
  const io::CancelToken::Scope ending(token, [this] { room_alarm_.ring(); });
  for (int n = 0; !token->cancelled(); ++n) {
    const int64_t woken_early_ns = parts_.clock.monotonic_ns() + kEveryNs;
    if (n % kLooksAtWriters == 0) co_await look(token);
    co_await look_at_writers();
    co_await room_alarm_.sleep(kEveryNs);
    if (parts_.clock.monotonic_ns() < woken_early_ns) n = -1;  // look now
  }
}

TierStatistics Settling::statistics() const {
  const uint64_t metadata = metadata_bytes();
  std::lock_guard lock(mutex_);
  TierStatistics told = told_;
  told.hydrated_bytes = hydrated_bytes_;
  told.hot_bytes = local_.whole_bytes() + local_.part_bytes();
  told.hot_limit_bytes = hot_limit_;
  told.hot_max_bytes = options_.hot_max_bytes;
  told.metadata_bytes = metadata;
  told.hot_high_percent = options_.high_percent;
  told.hot_low_percent = options_.low_percent;
  told.uploading = busy_;
  told.held_to_bytes_per_s = busy_ ? throttle_.bytes_per_s() : 0;
  const int64_t now_ns = parts_.clock.monotonic_ns();
  told.room = room_.report(now_ns);
  told.room_age_ns = now_ns - told.room.since_ns;
  told.readahead = parts_.tiers.hydrator.readahead_statistics();
  told.handled_bytes = parts_.tiers.uploader.handled_bytes();
  return told;
}

}  // namespace firn::vfs
