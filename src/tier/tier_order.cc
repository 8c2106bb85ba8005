#include "tier/tier_order.h"

#include <algorithm>
#include <deque>

#include "io/reactor.h"
#include "io/sync.h"
#include "tier/blob_check.h"

namespace firn::tier {

namespace {

int64_t clock_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

// That the tier is away, as far as requests of other kinds know: that it is full, say, is no reason not to read.
bool says_away(const object::Health* health) {
  if (health == nullptr) return false;
  const object::Health::Report report = health->report();
  const Code code = report.last_failure.code();
  return report.failing && (code == Code::kUnavailable || code == Code::kTimedOut || code == Code::kNoDevice);
}

}  // namespace

// One call's requests, all of it on one reactor.
struct TierOrder::Asked {
  Asked(const Turn& turn, int64_t now_ns) : tier(turn.tier), wait_ns(turn.wait_ns), heard_ns(now_ns) {}
  const size_t tier;
  const int64_t wait_ns;
  int64_t heard_ns;            // when it was asked, or when it was seen that bytes had come
  uint64_t arrived_bytes = 0;  // from the tier, then
  io::CancelToken stop;
  std::optional<Result<void>> result;
};

struct TierOrder::Race {
  // Until one ends, or so long.
  io::Task<void> wait(int64_t ns) {
    io::CancelToken ended;
    one_ended = &ended;
    (void)co_await io::sleep_for(ns, &ended);
    one_ended = nullptr;
  }

  std::deque<Asked> asked;
  size_t running = 0;
  std::optional<size_t> winner;  // a tier
  io::CancelToken* one_ended = nullptr;
};

io::Task<void> TierOrder::run(Race& race, Asked& one, Ask& ask, io::CancelToken* token) {
  const io::CancelToken::Scope passed_on(token, [&one] { one.stop.cancel(); });
  Result<void> done = co_await ask(one.tier, &one.stop);
  note(one.tier, done ? Code::kOk : done.error().code());
  if (done && !race.winner) race.winner = one.tier;
  one.result = std::move(done);
  --race.running;
  if (race.one_ended != nullptr) race.one_ended->cancel();
}

io::Task<std::optional<size_t>> TierOrder::first_answer(uint32_t tiers, uint64_t bytes, Ask ask,
                                                        std::vector<Failure>& failures, io::CancelToken* token) {
  const std::vector<Turn> order = order_of(tiers, bytes);
  Race race;
  for (size_t next = 0; !race.winner;) {
    const bool is_last = next == order.size() || (token != nullptr && token->cancelled());
    if (race.running == 0 && is_last) break;
    if (race.running > 0) {
      Asked& newest = race.asked.back();
      const int64_t left_ns = newest.result ? 0 : heard_ns(newest) + newest.wait_ns - clock_ns();
      if (is_last || left_ns > 0) {
        co_await race.wait(is_last ? io::kForeverNs : left_ns);
        continue;
      }
      if (!newest.result) seen_[newest.tier].failed_ns = clock_ns();
    }
    Asked& one = race.asked.emplace_back(order[next], clock_ns());
    (void)heard_ns(one);  // what came before does not count
    ++next;
    ++race.running;
    io::detach(run(race, one, ask, token));
  }
  for (Asked& one : race.asked) one.stop.cancel();
  while (race.running > 0) co_await race.wait(io::kForeverNs);
  for (Asked& one : race.asked)
    if (!*one.result && one.result->error().code() != Code::kInterrupted)
      failures.push_back({one.tier, std::move(*one.result).error()});
  co_return race.winner;
}

// Bytes that come are the tier's, whoever asked for them: where many share a slow line, each waits for long.
int64_t TierOrder::heard_ns(Asked& one) const {
  const object::Health* health = tiers_[one.tier].health;
  const uint64_t arrived_bytes = health == nullptr ? 0 : health->arrived_bytes();
  if (arrived_bytes != one.arrived_bytes) {
    one.arrived_bytes = arrived_bytes;
    one.heard_ns = clock_ns();
  }
  return std::max(one.heard_ns, seen_[one.tier].answered_ns.load());
}

std::vector<TierOrder::Turn> TierOrder::order_of(uint32_t tiers, uint64_t bytes) {
  const double slow_s = static_cast<double>(bytes) / static_cast<double>(options_.slow_bytes_per_s);
  const int64_t hedge_ns = options_.hedge_ns + static_cast<int64_t>(slow_s * 1e9);
  std::vector<Turn> order, last;
  for (size_t i = 0; i < tiers_.size(); ++i) {
    if ((tiers >> i & 1) == 0) continue;
    if (!is_failing(i))
      order.push_back({i, hedge_ns});
    else if (takes_trial(i))
      order.push_back({i, options_.trial_ns});
    else
      last.push_back({i, hedge_ns});
  }
  order.insert(order.end(), last.begin(), last.end());
  return order;
}

bool TierOrder::is_failing(size_t tier) const {
  return seen_[tier].failed_ns.load() > seen_[tier].answered_ns.load() || says_away(tiers_[tier].health);
}

bool TierOrder::takes_trial(size_t tier) {
  const int64_t now_ns = clock_ns();
  int64_t tried_ns = seen_[tier].tried_ns.load();
  if (now_ns - std::max(tried_ns, seen_[tier].failed_ns.load()) < options_.leave_alone_ns) return false;
  return seen_[tier].tried_ns.compare_exchange_strong(tried_ns, now_ns);
}

void TierOrder::note(size_t tier, Code outcome) {
  if (outcome == Code::kInterrupted) return;
  (outcome == Code::kOk || is_damage(outcome) ? seen_[tier].answered_ns : seen_[tier].failed_ns) = clock_ns();
}

}  // namespace firn::tier
