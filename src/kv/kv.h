// Transactions on an ordered key-value store: the one interface below all of firn's metadata.
// The model is FoundationDB's: snapshot reads, optimistic conflict detection on what was read, serializable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/task.h"

namespace firn::io {
class CancelToken;
}

namespace firn::kv {

// Limits that every engine accepts; beyond them: kInvalid.
inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr size_t kMaxValueBytes = 16 << 20;
inline constexpr size_t kMaxTransactionBytes = 64 << 20;  // all keys and values written by one transaction

struct Pair {
  std::string key;
  std::string value;
};

// [begin, end) in byte order. An empty end: to the last key, so that prefix_end()'s answer always serves.
struct Range {
  std::string begin;
  std::string end;
};

// The smallest key greater than every key that starts with `prefix` (empty when there is none).
std::string prefix_end(std::string_view prefix);

// Whether a read makes the commit conflict with a concurrent writer of what was read.
enum class Isolation : uint8_t {
  kSerializable,  // it does
  kSnapshot,      // it does not: the caller does not mind if it changes before the commit
};

// The position of a commit in the engine's order of commits. 0: before all of them.
using Version = uint64_t;

// One transaction. Not thread-safe: one coroutine at a time. All reads see the state as of begin(), with
// this transaction's own writes on top. Dropping it without commit() discards it.
// An engine may take that state as late as the first read. Keys passed to a coroutine must outlive its task.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // nullopt: no such key.
  virtual io::Task<Result<std::optional<std::string>>> get(std::string_view key,
                                                           Isolation isolation = Isolation::kSerializable) = 0;
  // One result per key, in order.
  virtual io::Task<Result<std::vector<std::optional<std::string>>>> multi_get(
      std::vector<std::string> keys, Isolation isolation = Isolation::kSerializable) = 0;
  // Up to `limit` pairs of [begin, end) in key order (own writes included). Fewer than `limit`: the range is exhausted.
  // The part of the range that was covered is what conflicts.
  virtual io::Task<Result<std::vector<Pair>>> scan(Range range, size_t limit,
                                                   Isolation isolation = Isolation::kSerializable) = 0;

  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  // Adds `delta` to the 64-bit little-endian integer at `key` (absent: 0) at commit, without conflicting
  // with other additions. get() in the same transaction does not see it.
  virtual void add(std::string_view key, int64_t delta) = 0;

  // Conflicts as if `key` had been read at begin().
  virtual void add_read_conflict(std::string_view key) = 0;

  // Applies all writes at once, or none. The returned version orders this commit; a transaction without
  // writes always succeeds.  kConflict: nothing was applied, run it again on fresh reads.
  // kMaybeCommitted: unknown (never from an embedded engine).  kNoSpace, kIo: not applied, the engine stays readable.
  // Visible to every transaction begun after it returned; durable only after Engine::sync().
  virtual io::Task<Result<Version>> commit() = 0;
};

class ShippingSource;

// Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::unique_ptr<Transaction> begin() = 0;

  // Every commit whose version is <= `version` survives a power cut once this returned. Concurrent callers
  // share one sync of the log. Returns at once when it is durable already.
  virtual io::Task<Result<void>> sync(Version version) = 0;
  // The newest commit so far; sync(last_version()) makes everything durable.
  virtual Version last_version() const = 0;
  virtual Version synced_version() const = 0;
  // Hands every commit so far to the operating system, so that it survives the death of this process
  // (not a power cut). Cheap; may block for a write(2).
  virtual Result<void> flush_to_os() = 0;

  // Removes every key of a range, which begins with a single byte and has an end, at a cost that does not depend on how
  // many there are (kInvalid: another range); for what nobody reads or writes any more. Outside of all transactions,
  // and not told to a CommitSink: a database that was made elsewhere from what was shipped may still have them. Seen,
  // and durable, with the next commit. kBusy: not now.
  virtual Result<void> discard(Range range) = 0;

  // Engine-specific facts for status pages: names and values, such as {"memtable_bytes", "1048576"}.
  virtual std::vector<std::pair<std::string, std::string>> statistics() const = 0;

  // What it takes on the local disk, about; 0: nothing. Cheap enough for once a second.
  virtual uint64_t disk_bytes() const { return 0; }

  // The disk is full, and what was kept of it for commits is in use: who would write more is to be refused, that others
  // can remove. Cheap; may block for a moment.
  virtual bool short_of_space() { return false; }

  // What carries the database elsewhere (shipping.h). Null: this engine cannot, or is open for reading only.
  virtual ShippingSource* shipping() { return nullptr; }

  // Stops background work and closes after a final sync. No transaction may be alive.
  virtual io::Task<Result<void>> close() = 0;
};

inline constexpr int kMaxAttempts = 64;

// Runs `body(transaction)` and commits, again on kConflict with jittered backoff, up to kMaxAttempts times.
// `body` must be repeatable: no side effect but through the transaction and its own return value.
// Body: Transaction& -> io::Task<Result<T>>. Its failure is returned without a commit.
template <class T>
io::Task<Result<T>> transact(Engine& engine, std::function<io::Task<Result<T>>(Transaction&)> body);

// The wait before attempt `attempt` (from 1), jittered: about 50 us doubling to 10 ms.
io::Task<void> backoff(int attempt);

struct KeepSyncedOptions {
  int64_t flush_interval_ns = 5'000'000;
  int64_t sync_interval_ns = 1'000'000'000;
  std::function<void(const Status&)> on_failure;  // called after every round that failed; may be empty
};

// Bounds what a crash loses: flush_to_os() and sync() at their intervals, until `token` is cancelled.
// `engine` and `token` must outlive the task. Needs a current reactor.
io::Task<void> keep_synced(Engine& engine, KeepSyncedOptions options, io::CancelToken* token);

template <class T>
io::Task<Result<T>> transact(Engine& engine, std::function<io::Task<Result<T>>(Transaction&)> body) {
  for (int attempt = 1;; ++attempt) {
    auto transaction = engine.begin();
    Result<T> result = co_await body(*transaction);
    if (!result && result.error().code() != Code::kConflict) co_return result;
    if (result) {
      Result<Version> committed = co_await transaction->commit();
      if (committed) co_return result;
      if (committed.error().code() != Code::kConflict) co_return fail(std::move(committed).error());
    }
    if (attempt == kMaxAttempts) co_return fail(Code::kConflict, "gave up after too many conflicting transactions");
    co_await backoff(attempt);
  }
}

}  // namespace firn::kv
