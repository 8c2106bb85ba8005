#include "cli/tier_limits.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"

namespace firn::cli {

namespace {

uint64_t puts_of(const TierInfo& info) { return info.requests.requests[static_cast<size_t>(object::Kind::kPut)]; }

}  // namespace

TierLimits::TierLimits(const Stores& stores, tier::TierEvictor::Parts parts, std::vector<TierBounds> bounds)
    : stores_(stores), bounds_(std::move(bounds)), evictor_(std::move(parts), {}) {
  for (const TierBounds& one : bounds_) reports_.push_back({.bounds = one});
}

std::vector<tier::TierRoom> TierLimits::rooms() const {
  std::vector<tier::TierRoom> rooms;
  const std::vector<TierInfo> infos = stores_.info();
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < infos.size(); ++i) {
    const object::Health::Report& health = infos[i].health;
    const bool asked_since = puts_before_.empty() || puts_of(infos[i]) != puts_before_[i];
    const bool full = asked_since && health.failing && health.last_failure == Code::kNoSpace;
    rooms.push_back({.max_bytes = bounds_[i].max_bytes,
                     .high_percent = bounds_[i].high_percent,
                     .low_percent = bounds_[i].low_percent,
                     .full = full});
  }
  return rooms;
}

std::vector<uint64_t> TierLimits::put_bytes() const {
  std::vector<uint64_t> bytes;
  for (const TierInfo& info : stores_.info())
    bytes.push_back(info.requests.bytes[static_cast<size_t>(object::Kind::kPut)]);
  return bytes;
}

std::vector<uint64_t> TierLimits::puts() const {
  std::vector<uint64_t> counts;
  for (const TierInfo& info : stores_.info()) counts.push_back(puts_of(info));
  return counts;
}

bool TierLimits::due() const {
  if (bounds_.size() < 2) return false;  // nothing ever leaves the last
  if (std::ranges::any_of(rooms(), &tier::TierRoom::full)) return true;
  if (std::ranges::none_of(bounds_, [](const TierBounds& one) { return one.max_bytes > 0; })) return false;
  const std::vector<uint64_t> now = put_bytes();
  std::lock_guard lock(mutex_);
  return now != seen_put_bytes_;
}

io::Task<Result<void>> TierLimits::pass(io::CancelToken* token) {
  std::vector<uint64_t> seen = put_bytes();
  std::vector<uint64_t> puts_now = puts();
  const tier::TierEvictSummary done = CO_TRY(co_await evictor_.pass(rooms(), token));
  std::lock_guard lock(mutex_);
  puts_before_ = std::move(puts_now);
  // What failed is tried again.
  seen_put_bytes_ = done.failed == 0 ? std::move(seen) : std::vector<uint64_t>();
  const tier::Tiers tiers = stores_.tiers();
  for (size_t i = 0; i < reports_.size(); ++i) {
    reports_[i].known = true;
    reports_[i].held_bytes = done.held_bytes[i];
    reports_[i].evicted_bytes += done.evicted_bytes[i];
    if (done.evicted_blobs[i] > 0)
      log::info("tier {}: {} made room: {} blobs are in the tiers behind it only", tiers[i].name,
                human_size(done.evicted_bytes[i]), done.evicted_blobs[i]);
  }
  if (!done.first_failure.ok()) co_return fail(done.first_failure);
  co_return Result<void>();
}

std::vector<TierLimits::Report> TierLimits::report() const {
  std::lock_guard lock(mutex_);
  return reports_;
}

}  // namespace firn::cli
