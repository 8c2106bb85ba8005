// Stores around a store: each adds one thing and passes the rest on. The composition is the caller's; usual is, from
// the outside in: retrying, limited, measured, the store itself (so that what is measured is what is sent).
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/random.h"
#include "object/store.h"

namespace firn::object {

enum class Kind : uint8_t { kPut, kGet, kHead, kRemove };
inline constexpr std::array<const char*, 4> kKindNames = {"put", "get", "head", "remove"};

struct RetryOptions {
  // One attempt may take attempt_ns, and what its bytes take at slowest_bytes_per_s.
  int64_t attempt_ns = 30'000'000'000;
  uint64_t slowest_bytes_per_s = 1 << 20;
  int max_attempts = 8;
  // The wait before the second attempt; it doubles up to the longest. Half of each wait is random.
  int64_t first_wait_ns = 100'000'000;
  int64_t longest_wait_ns = 10'000'000'000;
};

// Tries again after kUnavailable and kTimedOut, while `until` allows. A put "if absent" that may have succeeded before
// it failed with kExists is compared with what is there: so its content must be unlike anybody else's (a nonce).
// Thread-safe if `random` is.
std::unique_ptr<ObjectStore> retrying(std::unique_ptr<ObjectStore> inner, RetryOptions options, Random& random);

struct LimitOptions {
  uint64_t put_bytes_per_s = 0;  // 0: no limit
  uint64_t get_bytes_per_s = 0;
  size_t requests_in_flight = 64;
};

// Requests wait for their turn; their deadline goes on meanwhile.
std::unique_ptr<ObjectStore> limited(std::unique_ptr<ObjectStore> inner, LimitOptions options);

// Counts requests, failures, bytes and latency under firn_object_*{store=`name`, kind=...}. Logs each failure at debug.
std::unique_ptr<ObjectStore> measured(std::unique_ptr<ObjectStore> inner, std::string name,
                                      metrics::Registry& registry);

}  // namespace firn::object
