#include "object/turns.h"

#include <algorithm>

namespace firn::object {

namespace {

constexpr size_t kShareForLight = 8;  // one of so many
constexpr int64_t kLeastPatienceNs = 1'000'000;

int64_t clock_ns() { return io::Reactor::current()->clock().monotonic_ns(); }
size_t kept_for_light(size_t count) { return std::max<size_t>(count / kShareForLight, 1); }
size_t most_heavy(size_t count) { return std::max<size_t>(count - kept_for_light(count), 1); }

}  // namespace

Turns::Turns(size_t count) : most_{count, most_heavy(count)}, most_of_all_(most_heavy(count) + kept_for_light(count)) {}

io::Task<Result<Turns::Turn>> Turns::take(Weight weight, io::Until* until) {
  const auto cancelled = [until] { return until->token != nullptr && until->token->cancelled(); };
  const int64_t arrived_ns = clock_ns();
  // The deadline has what the body takes in it, which is no reason to wait for longer.
  int64_t patience_ns =
      until->deadline_ns == 0 ? io::kForeverNs : std::min(until->deadline_ns - arrived_ns, kPatienceNs);
  if (patience_ns < kLeastPatienceNs) patience_ns = 0;  // it is hardly asleep before it looks again
  const WaiterRef mine = queue(weight);
  const io::CancelToken::Scope passed_on(until->token, [mine] { mine->woken.cancel(); });
  int64_t heard_ns = arrived_ns;
  while (!mine->has_turn.load() && !cancelled()) {
    if (const int64_t left_ns = heard_ns + patience_ns - clock_ns(); left_ns > 0) {
      co_await io::sleep_for(left_ns, &mine->woken);
      continue;
    }
    const int64_t before_ns = std::exchange(heard_ns, moved_ns());
    if (heard_ns <= before_ns || patience_ns <= 0) break;
  }
  if (!has_turn_or_leaves(weight, mine)) {
    if (cancelled()) co_return fail(Code::kInterrupted);
    co_return fail(Code::kTimedOut, "none of the requests before this one was answered");
  }
  Turn turn = begin_turn(weight);
  if (cancelled()) co_return fail(Code::kInterrupted);
  if (until->deadline_ns != 0) until->deadline_ns += clock_ns() - arrived_ns;
  co_return turn;
}

Turns::WaiterRef Turns::queue(Weight weight) {
  auto waiter = std::make_shared<Waiter>();
  std::lock_guard lock(mutex_);
  waiting_[static_cast<size_t>(weight)].push_back(waiter);
  (void)give_turn();  // by invariant 3 to this one, if to anybody
  return waiter;
}

bool Turns::has_turn_or_leaves(Weight weight, const WaiterRef& waiter) {
  std::lock_guard lock(mutex_);
  if (!waiter->has_turn) std::erase(waiting_[static_cast<size_t>(weight)], waiter);
  return waiter->has_turn;
}

Turns::Turn Turns::begin_turn(Weight weight) {
  const int64_t now_ns = clock_ns();
  std::lock_guard lock(mutex_);
  begun_ns_.insert(now_ns);
  return Turn(this, weight, now_ns);
}

void Turns::end_turn(Weight weight, int64_t begun_ns) {
  WaiterRef next;
  {
    std::lock_guard lock(mutex_);
    begun_ns_.erase(begun_ns_.find(begun_ns));
    --taken_[static_cast<size_t>(weight)];
    next = give_turn();
  }
  if (next) next->woken.cancel();
}

void Turns::note_success() { success_ns_ = clock_ns(); }

int64_t Turns::moved_ns() {
  const int64_t now_ns = clock_ns();
  std::lock_guard lock(mutex_);
  const bool lasts = !begun_ns_.empty() && now_ns - *begun_ns_.begin() > kPatienceNs;
  return lasts ? now_ns : success_ns_.load();
}

size_t Turns::most_of(size_t weight) const {
  constexpr auto kHeavy = static_cast<size_t>(Weight::kHeavy);
  const bool leaves_one = weight != kHeavy && !waiting_[kHeavy].empty() && taken_[kHeavy] == 0;
  return leaves_one ? std::min(most_[weight], most_of_all_ - 1) : most_[weight];
}

Turns::WaiterRef Turns::give_turn() {
  if (taken_[0] + taken_[1] == most_of_all_) return nullptr;
  for (size_t weight = 0; weight < waiting_.size(); ++weight) {
    if (waiting_[weight].empty() || taken_[weight] >= most_of(weight)) continue;
    WaiterRef next = std::move(waiting_[weight].front());
    waiting_[weight].pop_front();
    ++taken_[weight];
    next->has_turn = true;
    return next;
  }
  return nullptr;
}

}  // namespace firn::object
