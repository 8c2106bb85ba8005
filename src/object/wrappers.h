// Stores around a store: each adds one thing and passes the rest on. The composition is the caller's; usual is, from
// the outside in: retrying, limited, guarded, watched, measured, the store itself (so that what is measured is what is
// sent).
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/metrics.h"
#include "base/random.h"
#include "object/store.h"

namespace firn::object {

struct RetryOptions {
  // One attempt may take attempt_ns, and what its bytes take at slowest_bytes_per_s: the share that one of many
  // transfers has of a slow line. One that does not move ends long before that (kStallNs).
  int64_t attempt_ns = 30'000'000'000;
  uint64_t slowest_bytes_per_s = 4 << 10;
  int max_attempts = 8;
  // The wait before the second attempt; it doubles up to the longest. Half of each wait is random.
  int64_t first_wait_ns = 100'000'000;
  int64_t longest_wait_ns = 10'000'000'000;
};

// Tries again after kUnavailable and kTimedOut, while `until` allows. Its deadline is for what does not move: an
// attempt that began before it may end as late as its bytes let it, and one that took longer than attempt_ns puts it
// off for those that follow. Who must not wait for that has the token. A put "if absent" that may have succeeded before
// it failed with kExists is compared with what is there: so its content must be unlike anybody else's (a nonce).
// Thread-safe if `random` is.
std::unique_ptr<ObjectStore> retrying(std::unique_ptr<ObjectStore> inner, RetryOptions options, Random& random);

struct LimitOptions {
  uint64_t put_bytes_per_s = 0;  // 0: no limit
  uint64_t get_bytes_per_s = 0;
  size_t requests_in_flight = 64;  // some of them for requests that carry little (Turns)
};

// Requests wait for their turn: those with large bodies for one another, small ones only for small ones. Their deadline
// is put off by the wait (which ends by it, or after 30 s, when no request before them moves any more), and by twice
// what their bytes take at that rate. A store that can send at a rate does so by its own options (HttpOptions); from
// any other a body comes, or goes, in one burst, and the next one waits the longer.
std::unique_ptr<ObjectStore> limited(std::unique_ptr<ObjectStore> inner, LimitOptions options);

// Counts requests, failures, bytes and latency under firn_object_*{store=`name`, kind=...}. Each request is a line of
// the log at debug: its object, offset, bytes, time and outcome.
std::unique_ptr<ObjectStore> measured(std::unique_ptr<ObjectStore> inner, std::string name,
                                      metrics::Registry& registry);
// For a store that may send more than one request for a call: to be called for each beyond the first. They count as
// requests of that name, too, with the outcome "further".
std::function<void(Kind)> further_requests(const std::string& name, metrics::Registry& registry);

// What measured() has counted under `name`, by Kind.
struct RequestCounts {
  std::array<uint64_t, 4> requests{}, failures{}, bytes{};
};
RequestCounts request_counts(const std::string& name, metrics::Registry& registry);

// How a store has answered lately. Thread-safe.
class Health {
 public:
  struct Report {
    bool failing = false;     // the last request failed
    Status last_failure;      // ok: there was none
    Timestamp failed_at;      // of that one
    Timestamp failing_since;  // of the first since the last success
    Timestamp answered_at;    // of the last success; 0: none yet
    // Full is not away: other requests are answered meanwhile, and say nothing about room.
    bool full = false;       // the last put failed with kNoSpace
    uint64_t full_puts = 0;  // that failed so, since the process began
  };
  // Answers that there is no such object, or one already, are answers; a caller's own end tells nothing.
  void note(Kind kind, const Status& outcome, Timestamp now);
  Report report() const;

  // So much of what was asked for has come, of whatever request.
  void note_arrival(uint64_t bytes) { arrived_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  // Of all requests so far: as it grows, the store is there. Of a store that does not tell, 0.
  uint64_t arrived_bytes() const { return arrived_bytes_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> arrived_bytes_ = 0;
  mutable std::mutex report_mutex_;  // guards report_
  Report report_;
};

// Notes the outcome of every request; `health` must outlive the store.
std::unique_ptr<ObjectStore> watched(std::unique_ptr<ObjectStore> inner, Health& health);

struct Guard {
  std::string key;  // of the object that tells whose store this is
  uint64_t max_bytes = 0;
  std::function<Status(std::string_view bytes)> accept;
};

// Before the first request, and again until that succeeded once, reads the guard's object: nothing is asked of, or
// written to, a store that is somebody else's. kNoDevice when there is no such object; else what `accept` says.
std::unique_ptr<ObjectStore> guarded(std::unique_ptr<ObjectStore> inner, Guard guard);

}  // namespace firn::object
