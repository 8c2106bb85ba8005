#include "tier/metadata/collector.h"

#include <algorithm>

#include "base/failpoint.h"
#include "tier/metadata/concurrently.h"

namespace firn::tier {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
// Tables are numbered without gaps but for those in flight when their writer died.
constexpr uint64_t kSweepGap = 32;

}  // namespace

Removable strike_old_roots(Root& root, uint64_t number, const RetentionOptions& options, int64_t now_seconds,
                           uint64_t applied) {
  auto first_kept = root.past.begin();
  const auto old = [&](const Root::Past& past) {
    return past.first_log <= applied && past.replaced + options.grace_ns / kSecond <= now_seconds;
  };
  while (root.past.end() - first_kept > static_cast<ptrdiff_t>(options.keep_roots) && old(*first_kept)) {
    root.signposts.push_back(first_kept->number);
    ++first_kept;
  }
  root.past.erase(root.past.begin(), first_kept);
  if (root.past.empty()) return {.log_end = std::min(root.first_log, applied), .root_end = number};
  return {.log_end = std::min(root.past.front().first_log, applied), .root_end = root.past.front().number};
}

io::Task<Result<uint64_t>> MetadataCollector::pass(FoundRoot& root, io::CancelToken* token) {
  removed_ = 0;
  CO_TRY(co_await log_.confirm(token));
  const int64_t now_seconds = io::Reactor::current()->clock().now().seconds;
  if (seen_root_ != root.number) {
    seen_root_ = root.number;
    pins_end_ = root.root.first_pin;
  }
  const uint64_t applied = CO_TRY(co_await pins_.look(token));
  root.root.first_pin = pins_.first();
  const Removable removable = strike_old_roots(root.root, root.number, options_, now_seconds, applied);
  failpoint("root.before_collect");
  CO_TRY(co_await remove_logs(root.root, removable.log_end, token));
  failpoint("root.after_logs");
  CO_TRY(co_await remove_tables(root.root, removable.root_end, token));
  failpoint("root.after_dropped");
  CO_TRY(co_await remove_pins(root, token));
  CO_TRY(co_await remove_roots(root, token));
  CO_TRY(co_await remove_fences(root.root, now_seconds, token));
  CO_TRY(co_await sweep(root.root, now_seconds, token));
  failpoint("root.after_collect");
  co_return removed_;
}

io::Task<Result<void>> MetadataCollector::remove(std::string name, io::CancelToken* token) {
  CO_TRY(co_await bucket_.store.remove(std::move(name), io::within(bucket_.request_ns, token)));
  ++removed_;
  co_return Result<void>();
}

io::Task<Result<void>> MetadataCollector::remove_logs(Root& root, uint64_t end, io::CancelToken* token) {
  const uint64_t first = root.first_kept_log;
  if (end <= first) co_return Result<void>();
  const size_t count = std::min<uint64_t>(end - first, left());
  CO_TRY(co_await concurrently(count, options_.requests_in_flight,
                               [&](size_t index) { return remove_log(root, first + index, token); }));
  root.first_kept_log = first + count;
  co_return Result<void>();
}

// Fences stay. Behind its own one this writer knows that there are none.
io::Task<Result<void>> MetadataCollector::remove_log(Root& root, uint64_t place, io::CancelToken* token) {
  bool is_fence = place == fence_;
  if (place < fence_) {
    const auto there = co_await read_envelope(bucket_, log_key(place), token);
    if (!there && there.error() != Code::kCorrupt) co_return fail(there.error());
    if (there && !*there) co_return Result<void>();
    // What cannot be read may be one.
    is_fence = !there || (*there)->kind == LogKind::kFence;
  }
  if (!is_fence) co_return co_await remove(log_key(place), token);
  if (std::ranges::find(root.fences, place, &Root::Fence::number) == root.fences.end())
    root.fences.push_back({.number = place, .seconds = io::Reactor::current()->clock().now().seconds});
  co_return Result<void>();
}

io::Task<Result<void>> MetadataCollector::remove_tables(Root& root, uint64_t root_end, io::CancelToken* token) {
  // Those that may go come last.
  const auto removable = std::partition(root.dropped.begin(), root.dropped.end(),
                                        [&](const Root::Dropped& one) { return one.root > root_end; });
  const auto count = std::min<size_t>(static_cast<size_t>(root.dropped.end() - removable), left());
  const size_t first = root.dropped.size() - count;
  CO_TRY(co_await concurrently(count, options_.requests_in_flight, [&](size_t index) {
    const Root::Dropped& one = root.dropped[first + index];
    return remove(table_key(one.epoch, one.number), token);
  }));
  root.dropped.resize(first);
  co_return Result<void>();
}

// A root has said that they do not count: no reader takes their names again.
io::Task<Result<void>> MetadataCollector::remove_pins(FoundRoot& root, io::CancelToken* token) {
  for (uint64_t& first = root.root.first_kept_pin; first < pins_end_ && left() > 0; ++first)
    CO_TRY(co_await remove(pin_key(first), token));
  co_return Result<void>();
}

io::Task<Result<void>> MetadataCollector::remove_roots(FoundRoot& root, io::CancelToken* token) {
  std::vector<uint64_t> kept;
  for (const uint64_t number : root.root.signposts) {
    if (is_signpost(number, root.number)) {
      kept.push_back(number);
      continue;
    }
    CO_TRY(co_await remove(root_key(number), token));
  }
  root.root.signposts = std::move(kept);
  co_return Result<void>();
}

io::Task<Result<void>> MetadataCollector::remove_fences(Root& root, int64_t now_seconds, io::CancelToken* token) {
  std::vector<Root::Fence> kept;
  for (const Root::Fence& fence : root.fences) {
    if (fence.seconds + options_.fence_ns / kSecond > now_seconds)
      kept.push_back(fence);
    else
      CO_TRY(co_await remove(log_key(fence.number), token));
  }
  root.fences = std::move(kept);
  co_return Result<void>();
}

// What a writer of an earlier epoch sent for a root that it never put.
io::Task<Result<void>> MetadataCollector::sweep(Root& root, int64_t now_seconds, io::CancelToken* token) {
  while (!root.sweeps.empty() && root.sweeps.front().seconds + options_.grace_ns / kSecond <= now_seconds) {
    const Root::Sweep sweep = root.sweeps.front();
    for (uint64_t number = sweep.first, gap = 0; gap < kSweepGap; ++number, ++gap) {
      const std::string name = table_key(sweep.epoch, number);
      if (!CO_TRY(co_await object_exists(bucket_, name, token))) continue;
      CO_TRY(co_await remove(name, token));
      gap = 0;
    }
    root.sweeps.erase(root.sweeps.begin());
  }
  co_return Result<void>();
}

}  // namespace firn::tier
