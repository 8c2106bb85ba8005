#include "data/hot/scratch_pool.h"

#include <algorithm>

namespace firn::data::internal {

ScratchPool::ScratchPool(size_t min_ready, size_t max_ready)
    : min_ready_(std::max<size_t>(min_ready, 2)), max_ready_(std::max(max_ready, min_ready_)), target_(min_ready_) {
  ready_.reserve(max_ready_);
}

ScratchPool::Taken ScratchPool::take() {
  std::lock_guard lock(mutex_);
  Taken taken;
  if (ready_.empty()) {
    ran_dry_ = true;
  } else {
    // The newest first: its inode and pages are the likeliest to be in the processor's and the kernel's caches.
    taken.object = std::move(ready_.back());
    ready_.pop_back();
  }
  taken.low = !refilling_ && !closed_ && ready_.size() < watermark();
  return taken;
}

bool ScratchPool::begin_refill(int64_t now_ns, bool insist) {
  std::lock_guard lock(mutex_);
  if (refilling_ || closed_ || (!insist && now_ns < retry_at_ns_)) return false;
  if (ran_dry_) {
    target_ = std::min(target_ * 2, max_ready_);
  } else if (now_ns - last_refill_ns_ > kCalmNs) {
    target_ = std::max(target_ / 2, min_ready_);
  }
  ran_dry_ = false;
  refilling_ = true;
  step_ = std::make_shared<RefillStep>();
  return true;
}

size_t ScratchPool::shortfall() const {
  std::lock_guard lock(mutex_);
  return closed_ || ready_.size() >= target_ ? 0 : target_ - ready_.size();
}

void ScratchPool::step_done(Status status) {
  std::shared_ptr<RefillStep> ended;
  {
    std::lock_guard lock(mutex_);
    ended = std::exchange(step_, std::make_shared<RefillStep>());
  }
  ended->status = std::move(status);
  ended->done.set();
}

void ScratchPool::end_refill(Status status, int64_t now_ns) {
  std::shared_ptr<RefillStep> ended;
  {
    std::lock_guard lock(mutex_);
    refilling_ = false;
    last_refill_ns_ = now_ns;
    retry_at_ns_ = status.ok() ? 0 : now_ns + kRetryDelayNs;
    ended = std::exchange(step_, nullptr);
  }
  ended->status = std::move(status);
  ended->done.set();
}

std::shared_ptr<RefillStep> ScratchPool::current_step() const {
  std::lock_guard lock(mutex_);
  return step_;
}

std::vector<ObjectRef> ScratchPool::add_ready(std::vector<ObjectRef> objects) {
  std::lock_guard lock(mutex_);
  while (!closed_ && !objects.empty() && ready_.size() < max_ready_) {
    ready_.push_back(std::move(objects.back()));
    objects.pop_back();
  }
  return objects;
}

void ScratchPool::add_waiting(ObjectRef object) {
  std::lock_guard lock(mutex_);
  if (!closed_) waiting_.push_back(std::move(object));
}

std::vector<ObjectRef> ScratchPool::take_waiting() {
  std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

bool ScratchPool::dry() const {
  std::lock_guard lock(mutex_);
  return ready_.empty();
}

bool ScratchPool::has_room() const {
  std::lock_guard lock(mutex_);
  return ready_.size() < max_ready_;
}

size_t ScratchPool::ready_count() const {
  std::lock_guard lock(mutex_);
  return ready_.size();
}

size_t ScratchPool::waiting_count() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void ScratchPool::close() {
  std::vector<ObjectRef> ready, waiting;  // destroyed after the lock is released
  std::lock_guard lock(mutex_);
  closed_ = true;
  ready.swap(ready_);
  waiting.swap(waiting_);
}

}  // namespace firn::data::internal
