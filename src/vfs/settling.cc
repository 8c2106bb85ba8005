#include "vfs/settling.h"

#include <algorithm>
#include <queue>

#include "base/log.h"
#include "io/reactor.h"
#include "vfs/eviction_score.h"

namespace firn::vfs {

namespace {

constexpr int64_t kLookNs = 200'000'000;
constexpr int64_t kFirstPauseNs = 1'000'000'000;  // after an upload that failed; doubles
constexpr int64_t kLongestPauseNs = 60'000'000'000;
constexpr size_t kPage = 512;
constexpr size_t kMaxCandidates = 1 << 16;  // of one round of eviction
// Never all of the disk: the metadata, and what is being written, need room too.
constexpr uint64_t kReservePercent = 5;

struct Candidate {
  double score = 0;
  InodeId inode;
  uint64_t bytes = 0;
  bool operator<(const Candidate& other) const { return score < other.score; }
};

}  // namespace

io::Task<void> Settling::look_at_pending() {
  uint64_t files = 0;
  Timestamp oldest;
  for (InodeId after;;) {
    const auto page = co_await parts_.tiers.tiering.list_pending(after, kPage);
    if (!page) co_return;
    for (const meta::Pending& one : *page)
      if (oldest == Timestamp() || one.since < oldest) oldest = one.since;
    files += page->size();
    if (page->size() < kPage) break;
    after = page->back().inode;
  }
  std::lock_guard lock(mutex_);
  told_.pending_files = files;
  told_.oldest_pending = oldest;
}

void Settling::note(const tier::UploadSummary& summary) {
  std::lock_guard lock(mutex_);
  told_.uploaded_files += summary.files;
  told_.uploaded_blobs += summary.blobs;
  told_.uploaded_bytes += summary.blob_bytes;
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

io::Task<Result<tier::UploadSummary>> Settling::pass(io::CancelToken* token) {
  auto lock = co_await uploading_.lock();
  busy_ = true;
  const uint64_t closed = closed_bytes_.load();
  co_await parts_.before_upload();
  const Status allowed = permitted();
  Result<tier::UploadSummary> summary = fail(allowed);
  if (allowed.ok()) summary = co_await parts_.tiers.uploader.pass(token);
  if (summary) {
    note(*summary);
    if (summary->first_failure.ok()) closed_bytes_.fetch_sub(closed);
  } else {
    note({.first_failure = summary.error()});
  }
  co_await look_at_pending();
  busy_ = false;
  co_return summary;
}

io::Task<void> Settling::upload_loop(io::CancelToken* token) {
  co_await look_at_pending();
  int64_t pause_ns = 0;
  for (int64_t last = parts_.clock.monotonic_ns();;) {
    if (!co_await io::sleep_for(kLookNs, token)) co_return;
    const int64_t now = parts_.clock.monotonic_ns();
    const bool due = now - last >= options_.flush_interval_ns || closed_bytes_.load() >= options_.flush_bytes;
    if (!due || now - last < pause_ns) continue;
    const Result<tier::UploadSummary> done = co_await pass(token);
    last = parts_.clock.monotonic_ns();
    const bool failed = !done || !done->first_failure.ok();
    pause_ns = failed ? std::clamp(2 * pause_ns, kFirstPauseNs, kLongestPauseNs) : 0;
  }
}

io::Task<Result<void>> Settling::upload(InodeId inode, io::CancelToken* token) {
  if (const Status allowed = permitted(); !allowed.ok()) co_return fail(allowed);
  const tier::UploadSummary done = CO_TRY(co_await parts_.tiers.uploader.upload(inode, token));
  std::lock_guard lock(mutex_);
  told_.uploaded_blobs += done.blobs;
  told_.uploaded_bytes += done.blob_bytes;
  co_return Result<void>();
}

io::Task<Result<tier::UploadSummary>> Settling::flush(io::CancelToken* token) {
  tier::UploadSummary all;
  for (;;) {
    const tier::UploadSummary one = CO_TRY(co_await pass(token));
    all.files += one.files;
    all.chunks += one.chunks;
    all.chunk_bytes += one.chunk_bytes;
    all.blobs += one.blobs;
    all.blob_bytes += one.blob_bytes;
    all.postponed = one.postponed;
    all.failed = one.failed;
    all.first_failure = one.first_failure;
    if (one.files == 0 || !one.first_failure.ok()) break;
  }
  // That files did not arrive is the better reason.
  if (!parts_.tiers.ship_metadata || !all.first_failure.ok()) co_return all;
  const Result<void> shipped = co_await parts_.tiers.ship_metadata();
  if (!shipped) all.first_failure = Status(shipped.error()).with_context("metadata, tier " + parts_.tiers.names.back());
  co_return all;
}

io::Task<Settling::Use> Settling::use() const {
  const Result<io::DiskUsage> disk = co_await parts_.data.usage();
  const auto hot = static_cast<uint64_t>(std::max<int64_t>(hot_bytes_.load(), 0));
  if (!disk) co_return Use{hot, options_.hot_max_bytes ? options_.hot_max_bytes : ~uint64_t{0}};
  const uint64_t disk_limit = disk->total_bytes / 100 * (100 - kReservePercent);
  const uint64_t disk_used = disk->total_bytes - std::min(disk->available_bytes, disk->total_bytes);
  const Use by_disk{disk_used, disk_limit}, by_setting{hot, options_.hot_max_bytes};
  if (options_.hot_max_bytes == 0) co_return by_disk;
  // Whichever asks for more.
  co_return by_disk.above(options_.low_percent) > by_setting.above(options_.low_percent) ? by_disk : by_setting;
}

double Settling::score_of(const meta::Attr& attr) const {
  const Timestamp now = parts_.clock.now();
  const AccessLevel level = accesses_.level_of(attr.inode, attr.content.access_level);
  return eviction_score({.used = std::max(attr.atime, attr.mtime), .accesses = count_of(level, now)}, now,
                        options_.eviction);
}

// One walk over the inodes finds those to evict, and counts what is on the disk anew.
io::Task<bool> Settling::free_some(uint64_t bytes, io::CancelToken* token) {
  std::priority_queue<Candidate> lowest;  // the highest score on top
  uint64_t gathered = 0, hot = 0;
  for (InodeId after;;) {
    const auto page = co_await parts_.meta.list_inodes(after, kPage);
    if (!page || !page->last || token->cancelled()) break;
    after = page->last;
    for (const meta::Attr& attr : page->inodes) {
      const meta::Content& content = attr.content;
      if (!content.settled || content.evicted) continue;
      hot += attr.allocated_bytes;
      if (attr.policy.stays_hot()) continue;
      if (content.live || content.uploaded_generation != content.generation || content.generation == 0) continue;
      lowest.push({score_of(attr), attr.inode, attr.allocated_bytes});
      gathered += attr.allocated_bytes;
      while (!lowest.empty() && (lowest.size() > kMaxCandidates || gathered - lowest.top().bytes >= bytes)) {
        gathered -= lowest.top().bytes;
        lowest.pop();
      }
    }
    co_await io::yield();
  }
  hot_bytes_ = static_cast<int64_t>(hot);
  std::vector<Candidate> order;
  for (; !lowest.empty(); lowest.pop()) order.push_back(lowest.top());
  uint64_t freed = 0, files = 0;
  for (size_t i = order.size(); i-- > 0 && freed < bytes && !token->cancelled();) {
    const Result<uint64_t> gone = co_await parts_.evict(order[i].inode);
    if (!gone) continue;
    freed += *gone;
    ++files;
  }
  std::lock_guard lock(mutex_);
  told_.evicted_files += files;
  told_.evicted_bytes += freed;
  co_return files > 0;
}

io::Task<void> Settling::evict_loop(io::CancelToken* token) {
  constexpr int64_t kEveryNs = 1'000'000'000, kRestNs = 15'000'000'000;
  int64_t not_before = 0;
  while (co_await io::sleep_for(kEveryNs, token)) {
    const Use now = co_await use();
    hot_limit_ = now.limit;
    has_room_ = now.used < now.limit;
    if (now.above(options_.high_percent) == 0 || parts_.clock.monotonic_ns() < not_before) continue;
    // Where nothing can go, there is no use in looking for it every second.
    if (!co_await free_some(now.above(options_.low_percent), token)) not_before = parts_.clock.monotonic_ns() + kRestNs;
  }
}

TierStatistics Settling::statistics() const {
  std::lock_guard lock(mutex_);
  TierStatistics told = told_;
  told.pending_bytes = closed_bytes_;
  told.hydrated_bytes = hydrated_bytes_;
  told.hot_bytes = static_cast<uint64_t>(std::max<int64_t>(hot_bytes_, 0));
  told.hot_limit_bytes = hot_limit_;
  told.uploading = busy_;
  told.readahead = parts_.tiers.hydrator.readahead_statistics();
  told.handled_bytes = parts_.tiers.uploader.handled_bytes();
  return told;
}

}  // namespace firn::vfs
