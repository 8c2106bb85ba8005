#include "kv/rocksdb/group_sync.h"

#include "io/reactor.h"

namespace firn::kv::rocks {

bool GroupSync::Turn::await_suspend(std::coroutine_handle<> handle) {
  std::lock_guard lock(group.turn_mutex_);
  if (!group.running_) {
    group.running_ = leader = true;
    return false;
  }
  group.waiters_.push_back({handle, io::Reactor::current()});
  return true;
}

void GroupSync::end_turn() {
  std::deque<io::internal::Waiter> woken;
  {
    std::lock_guard lock(turn_mutex_);
    running_ = false;
    woken.swap(waiters_);
  }
  for (const io::internal::Waiter& waiter : woken) waiter.resume();
}

io::Task<Result<void>> GroupSync::sync(Version version) {
  while (synced_version() < version) {
    if (!co_await Turn{*this}) continue;
    // The sync of the turn before may have covered it between the check and the turn.
    Result<Version> done = synced_version();
    if (*done < version) done = co_await sync_all_();
    if (done && *done > synced_version()) synced_.store(*done, std::memory_order_release);
    end_turn();
    if (!done) co_return fail(std::move(done).error());
    if (*done < version) co_return fail(Code::kInvalid, "sync of a version that was never committed");
  }
  co_return Result<void>();
}

}  // namespace firn::kv::rocks
