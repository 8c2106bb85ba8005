#include "kv/kv.h"

#include <algorithm>

#include "io/reactor.h"

namespace firn::kv {

namespace {

constexpr int64_t kFirstBackoffNs = 50'000;
constexpr int64_t kLongestBackoffNs = 10'000'000;

// SplitMix64's finaliser. Seeded with the reactor's clock: random enough to part two rivals in reality,
// and repeatable in the simulator, whose time is virtual.
uint64_t scramble(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

io::Task<void> backoff(int attempt) {
  io::Reactor* reactor = io::Reactor::current();
  const int doublings = std::clamp(attempt - 1, 0, 8);
  const int64_t longest = std::min(kFirstBackoffNs << doublings, kLongestBackoffNs);
  const uint64_t random = scramble(static_cast<uint64_t>(reactor->clock().monotonic_ns()) ^
                                   (static_cast<uint64_t>(reactor->index()) << 48) ^ static_cast<uint64_t>(attempt));
  const int64_t wait = longest / 2 + static_cast<int64_t>(random % static_cast<uint64_t>(longest));
  co_await io::sleep_for(wait);
}

io::Task<void> keep_synced(Engine& engine, KeepSyncedOptions options, io::CancelToken* token) {
  int64_t next_sync = io::Reactor::current()->clock().monotonic_ns() + options.sync_interval_ns;
  while (co_await io::sleep_for(options.flush_interval_ns, token)) {
    Status failure;
    if (auto flushed = engine.flush_to_os(); !flushed) failure = std::move(flushed).error();
    const int64_t now = io::Reactor::current()->clock().monotonic_ns();
    if (now >= next_sync) {
      next_sync = now + options.sync_interval_ns;
      if (auto synced = co_await engine.sync(engine.last_version()); !synced) failure = std::move(synced).error();
    }
    if (!failure.ok() && options.on_failure) options.on_failure(failure);
  }
}

}  // namespace firn::kv
