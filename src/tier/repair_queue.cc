#include "tier/repair_queue.h"

#include <algorithm>

#include "base/log.h"
#include "io/reactor.h"

namespace firn::tier {

namespace {

constexpr int64_t kLookNs = 1'000'000'000;

}  // namespace

void RepairQueue::note(const Damage& damage) {
  damaged_.fetch_add(1, std::memory_order_relaxed);
  Object object{damage.chunk.blob, damage.tier};
  std::lock_guard lock(mutex_);
  if (waiting_.size() < kMaxWaiting && std::ranges::find(waiting_, object) == waiting_.end())
    waiting_.push_back(std::move(object));
}

io::Task<void> RepairQueue::run(Repair repair, io::CancelToken* token) {
  while (co_await io::sleep_for(kLookNs, token)) {
    for (;;) {
      Object object;
      {
        std::lock_guard lock(mutex_);
        if (waiting_.empty() || token->cancelled()) break;
        object = waiting_.front();
      }
      const Result<void> done = co_await repair(object, token);
      const std::string name = key_of(blob_id_of_name(object.blob));
      if (done) {
        repaired_.fetch_add(1, std::memory_order_relaxed);
        log::info("tier {}: {} was damaged, and is in order again", object.tier, name);
      } else if (!token->cancelled()) {
        log::warning("tier {}: {} is damaged, and was not repaired: {}", object.tier, name, done.error().to_string());
      }
      // What readers noted meanwhile is dealt with.
      std::lock_guard lock(mutex_);
      std::erase(waiting_, object);
    }
  }
}

}  // namespace firn::tier
