#include "tier/metadata/log_recheck.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "tier/metadata/concurrently.h"

namespace firn::tier {

void LogRecheck::hold(LogWriter::Prepared object, int64_t now_ns) {
  bytes_ += object.content.bytes();
  const uint64_t number = object.envelope.number;
  held_.emplace(number, Held{.object = std::move(object), .since_ns = now_ns});
}

void LogRecheck::let_go(uint64_t number) {
  const auto held = held_.find(number);
  if (held == held_.end()) return;
  bytes_ -= held->second.object.content.bytes();
  held_.erase(held);
}

void LogRecheck::let_go_before(uint64_t first) {
  while (!held_.empty() && held_.begin()->first < first) let_go(held_.begin()->first);
}

int64_t LogRecheck::due_in_ns(int64_t now_ns) const {
  if (held_.empty()) return io::kForeverNs;
  if (holds(1)) return 0;
  return std::max<int64_t>(0, std::max(held_.begin()->second.since_ns + limits_.after_ns, next_ns_) - now_ns);
}

io::Task<Result<void>> LogRecheck::ask(size_t most, io::CancelToken* token) {
  const io::Mutex::Guard guard = co_await asking_.lock();
  std::vector<LogWriter::Prepared> asked;
  for (const auto& [number, held] : held_) {
    if (asked.size() == most) break;
    asked.push_back(held.object);
  }
  next_ns_ = io::Reactor::current()->clock().monotonic_ns() + static_cast<int64_t>(asked.size()) * limits_.pause_ns;
  Result<void> done = co_await concurrently(asked.size(), limits_.in_flight,
                                            [&](size_t index) { return ask_for(asked[index], token); });
  if (!lacks_.ok()) co_return fail(std::exchange(lacks_, Status()));
  co_return done;
}

io::Task<Result<void>> LogRecheck::ask_for(LogWriter::Prepared object, io::CancelToken* token) {
  const uint64_t number = object.envelope.number;
  const Result<bool> kept = co_await is_kept(bucket_, log_key(number), object.envelope, object.content.bytes(), token);
  if (!kept && kept.error() != Code::kCorrupt) co_return fail(kept.error());
  // A root may have done without it meanwhile, and the collector removed it.
  if (!held_.contains(number)) co_return Result<void>();
  Result<void> done;
  if (!kept) {
    done = fail(Code::kStale, kept.error().message());
  } else if (!*kept) {
    log::warning("metadata: the store had taken {}, and has it no longer; it is put again", log_key(number));
    done = co_await log_.put_again(std::move(object), token);
  }
  if (done || done.error() == Code::kStale) let_go(number);
  // Said also where another request fails beside it.
  if (!done && done.error() == Code::kStale) lacks_ = done.error();
  co_return done;
}

}  // namespace firn::tier
