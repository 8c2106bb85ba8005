#include "cli/tier_limits.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"

namespace firn::cli {

TierLimits::TierLimits(const Stores& stores, tier::TierEvictor::Parts parts, std::vector<TierBounds> bounds,
                       tier::OnDamage on_damage)
    : stores_(stores),
      bounds_(std::move(bounds)),
      evictor_(std::move(parts), {.keepers = {.on_damage = std::move(on_damage)}}),
      full_puts_(bounds_.size()) {
  for (const TierBounds& one : bounds_) reports_.push_back({.bounds = one});
}

std::vector<tier::TierRoom> TierLimits::rooms() const {
  std::vector<tier::TierRoom> rooms;
  const std::vector<TierInfo> infos = stores_.info();
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < infos.size(); ++i) {
    rooms.push_back({.max_bytes = bounds_[i].max_bytes,
                     .high_percent = bounds_[i].high_percent,
                     .low_percent = bounds_[i].low_percent,
                     .full = infos[i].health.full_puts != full_puts_[i]});
  }
  return rooms;
}

std::vector<uint64_t> TierLimits::put_bytes() const {
  std::vector<uint64_t> bytes;
  for (const TierInfo& info : stores_.info())
    bytes.push_back(info.requests.bytes[static_cast<size_t>(object::Kind::kPut)]);
  return bytes;
}

std::vector<uint64_t> TierLimits::full_puts() const {
  std::vector<uint64_t> counts;
  for (const TierInfo& info : stores_.info()) counts.push_back(info.health.full_puts);
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
  const tier::TierEvictSummary done = CO_TRY(co_await evictor_.pass(rooms(), token));
  std::lock_guard lock(mutex_);
  full_puts_ = full_puts();  // of those that failed during the pass, too: what is tried again says whether it is enough
  // What failed is tried again.
  seen_put_bytes_ = done.first_failure.ok() ? std::move(seen) : std::vector<uint64_t>();
  last_failure_ = done.first_failure;
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

Status TierLimits::last_failure() const {
  std::lock_guard lock(mutex_);
  return last_failure_;
}

}  // namespace firn::cli
