#include "tier/late_tiers.h"

#include "base/metrics.h"

namespace firn::tier {

namespace {

void count(int64_t more) {
  static metrics::Gauge& blobs = metrics::process_registry().gauge(
      "firn_tier_late_blobs", "Blobs that are on their way to tiers which are later than others.");
  blobs.add(more);
}

}  // namespace

LateTiers::~LateTiers() {
  for (size_t tier = 0; tier < kMaxTiers; ++tier) give_up(tier);
}

uint32_t LateTiers::tiers() const { return lacking(~uint32_t{0}, UINT64_MAX); }

void LateTiers::note(uint32_t tiers, const std::string& blob) {
  std::lock_guard lock(mutex_);
  ++mark_;
  for (size_t tier = 0; tier < kMaxTiers; ++tier) {
    Queue& queue = queues_[tier];
    if ((tiers >> tier & 1) == 0 || queue.in_order.size() >= kMaxBlobs || !queue.names.insert(blob).second) continue;
    queue.in_order.push_back({mark_, blob});
    count(1);
  }
}

uint64_t LateTiers::mark() const {
  std::lock_guard lock(mutex_);
  return mark_;
}

uint32_t LateTiers::lacking(uint32_t tiers, uint64_t mark) const {
  std::lock_guard lock(mutex_);
  uint32_t found = 0;
  for (size_t tier = 0; tier < kMaxTiers; ++tier) {
    const std::deque<Noted>& queue = queues_[tier].in_order;
    if ((tiers >> tier & 1) != 0 && !queue.empty() && queue.front().number <= mark) found |= uint32_t{1} << tier;
  }
  return found;
}

std::optional<std::string> LateTiers::next(size_t tier) const {
  std::lock_guard lock(mutex_);
  const std::deque<Noted>& queue = queues_[tier].in_order;
  return queue.empty() ? std::nullopt : std::optional(queue.front().blob);
}

void LateTiers::done(size_t tier) {
  std::lock_guard lock(mutex_);
  Queue& queue = queues_[tier];
  queue.names.erase(queue.in_order.front().blob);
  queue.in_order.pop_front();
  count(-1);
}

void LateTiers::give_up(size_t tier) {
  std::lock_guard lock(mutex_);
  Queue& queue = queues_[tier];
  count(-static_cast<int64_t>(queue.in_order.size()));
  queue = {};
}

}  // namespace firn::tier
