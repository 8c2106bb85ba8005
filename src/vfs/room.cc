#include "vfs/room.h"

#include <algorithm>

#include "io/reactor.h"

namespace firn::vfs {

namespace {

constexpr int64_t kPauseNs = 100'000'000;  // until it is looked whether there was another look

RoomState state_of(const HotUse& use, bool stuck) {
  if (!stuck) return RoomState::kFree;
  if (use.used >= use.hard) return RoomState::kFull;
  return use.used >= use.limit ? RoomState::kSlowed : RoomState::kTight;
}

}  // namespace

uint64_t HotUse::above(unsigned percent) const {
  const uint64_t mark = limit / 100 * percent;
  return used > mark ? used - mark : 0;
}

double HotUse::pressure() const {
  if (used <= limit) return 0;
  if (used >= hard) return 1;
  return static_cast<double>(used - limit) / static_cast<double>(hard - limit);
}

Room::Answer Room::ask(uint64_t bytes, int64_t& delay_ns) const {
  std::lock_guard lock(mutex_);
  if (told_.state == RoomState::kFull) return Answer::kNo;
  HotUse now = told_.use;
  if (told_.state != RoomState::kFree && bytes > now.hard - now.used) return Answer::kNo;
  now.used += std::min(unseen_.load(std::memory_order_relaxed), ~now.used);
  if (now.used >= now.hard) return Answer::kLook;
  if (told_.state == RoomState::kFree) return Answer::kGo;  // eviction is at work
  const double pressure = now.pressure();
  delay_ns = static_cast<int64_t>(pressure * pressure * static_cast<double>(kLongestDelayNs));
  return delay_ns > 0 ? Answer::kDelay : Answer::kGo;
}

io::Task<Result<void>> Room::admit(uint64_t bytes, io::CancelToken* token) {
  Clock& clock = io::Reactor::current()->clock();
  const int64_t began = clock.monotonic_ns();
  int64_t delay_ns = 0;
  Answer answer = ask(bytes, delay_ns);
  while (answer == Answer::kLook && clock.monotonic_ns() - began < kLongestWaitNs) {
    if (!co_await io::sleep_for(kPauseNs, token)) break;
    answer = ask(bytes, delay_ns);
  }
  if (answer == Answer::kDelay) (void)co_await io::sleep_for(delay_ns, token);
  const bool refused = answer == Answer::kNo || answer == Answer::kLook;
  std::lock_guard lock(mutex_);
  told_.slowed_ns += clock.monotonic_ns() - began;
  if (!refused) co_return Result<void>();
  ++told_.refused;
  co_return fail(Code::kNoSpace, "the local disk holds as much as it may, and nothing can be evicted");
}

bool Room::end_look(const Seen& seen) {
  unseen_.fetch_sub(seen.noted, std::memory_order_relaxed);
  left_ = seen.use.limit > seen.use.used ? seen.use.limit - seen.use.used : 0;
  const RoomState state = state_of(seen.use, seen.stuck);
  std::lock_guard lock(mutex_);
  told_.use = seen.use;
  if (told_.state == state) return false;
  told_.state = state;
  told_.since_ns = seen.now_ns;
  state_ = state;
  return true;
}

bool Room::refuse(const TooLarge& file) {
  std::lock_guard lock(mutex_);
  ++told_.refused;
  const bool told = told_.too_large_bytes == file.bytes && file.now_ns - told_.too_large_ns < RoomReport::kToldNs;
  told_.too_large_bytes = file.bytes;
  told_.most_bytes = file.most;
  told_.too_large_ns = file.now_ns;
  return !told;
}

RoomReport Room::report(int64_t now_ns) const {
  std::lock_guard lock(mutex_);
  RoomReport report = told_;
  if (now_ns - report.too_large_ns >= RoomReport::kToldNs) report.too_large_bytes = 0;
  return report;
}

}  // namespace firn::vfs
