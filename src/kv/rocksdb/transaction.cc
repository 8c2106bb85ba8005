#include "kv/rocksdb/transaction.h"

#include <chrono>
#include <thread>

#include "base/metrics.h"
#include "base/time.h"
#include "kv/key_hash.h"
#include "kv/overlay_scan.h"
#include "kv/rocksdb/no_wait.h"
#include "kv/rocksdb/status.h"

namespace firn::kv::rocks {

namespace {

constexpr int64_t kFirstStallWaitNs = 500'000;
constexpr int64_t kLongestStallWaitNs = 20'000'000;

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

// Measures one operation in kMeasuredEvery of its kind and thread, so that the clock is seldom read.
template <class Kind>
class SampledTimer {
 public:
  SampledTimer() {
    constexpr uint32_t kMeasuredEvery = 17;
    static thread_local uint32_t operations = 0;
    if (++operations % kMeasuredEvery == 0) started_ns_ = system_clock().monotonic_ns();
  }
  ~SampledTimer() {
    if (started_ns_ != 0) Kind::seconds().record(static_cast<uint64_t>(system_clock().monotonic_ns() - started_ns_));
  }
  SampledTimer(const SampledTimer&) = delete;
  SampledTimer& operator=(const SampledTimer&) = delete;

 private:
  int64_t started_ns_ = 0;
};

struct Commits {
  static metrics::Histogram& seconds() {
    static metrics::Histogram& histogram = metrics::process_registry().histogram(
        "firn_kv_commit_seconds", "How long commits took, of a sample; without what a sync takes.");
    return histogram;
  }
};

metrics::Counter& reads_of(const char* kind) {
  return metrics::process_registry().counter("firn_kv_reads_total", "Keys and ranges read, by kind.", {{"kind", kind}});
}
metrics::Histogram& read_seconds_of(const char* kind) {
  return metrics::process_registry().histogram("firn_kv_read_seconds", "How long reads took, of a sample.",
                                               {{"kind", kind}});
}

struct Gets {
  static metrics::Counter& count() {
    static metrics::Counter& counter = reads_of("get");
    return counter;
  }
  static metrics::Histogram& seconds() {
    static metrics::Histogram& histogram = read_seconds_of("get");
    return histogram;
  }
};

struct Scans {
  static metrics::Counter& count() {
    static metrics::Counter& counter = reads_of("scan");
    return counter;
  }
  static metrics::Histogram& seconds() {
    static metrics::Histogram& histogram = read_seconds_of("scan");
    return histogram;
  }
};

struct StoredCursor {
  rocksdb::Iterator& iterator;
  bool valid() const { return iterator.Valid(); }
  std::string_view key() const { return view(iterator.key()); }
  std::string_view value() const { return view(iterator.value()); }
  void next() { iterator.Next(); }
};

io::Task<void> pause(int64_t nanoseconds) {
  if (io::Reactor::current() != nullptr)
    co_await io::sleep_for(nanoseconds);
  else
    std::this_thread::sleep_for(std::chrono::nanoseconds(nanoseconds));
}

}  // namespace

rocksdb::ReadOptions RocksdbTransaction::read_options(Wait wait) {
  if (!snapshot_) snapshot_ = engine_.snapshots().acquire();
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_.snapshot();
  if (wait == Wait::kNo && !engine_.reads_without_waiting()) options.read_tier = rocksdb::kBlockCacheTier;
  return options;
}

const WriteSet::Entry* RocksdbTransaction::own(std::string_view key) const {
  const WriteSet::Entry* entry = writes_.find(key);
  return entry != nullptr && entry->kind != WriteSet::Kind::kNone ? entry : nullptr;
}

std::optional<std::string> RocksdbTransaction::own_value(const WriteSet::Entry& entry) const {
  if (entry.kind == WriteSet::Kind::kErase) return std::nullopt;
  return std::string(writes_.value(entry));
}

void RocksdbTransaction::note_read(std::string_view key, Isolation isolation) {
  if (isolation == Isolation::kSerializable) reads_.key_hashes.push_back(hash_key(key));
}

void RocksdbTransaction::add_read_conflict(std::string_view key) {
  if (!snapshot_) snapshot_ = engine_.snapshots().acquire();
  note_read(key, Isolation::kSerializable);
}

rocksdb::Status RocksdbTransaction::read(std::string_view key, Wait wait, std::optional<std::string>& value) {
  std::optional<NoWait> no_wait;
  if (wait == Wait::kNo) no_wait.emplace();
  value.emplace();
  rocksdb::Status status = engine_.db().Get(read_options(wait), slice(key), &*value);
  if (status.ok()) return status;
  value.reset();
  return status.IsNotFound() ? rocksdb::Status::OK() : status;
}

io::Task<Result<std::optional<std::string>>> RocksdbTransaction::get(std::string_view key, Isolation isolation) {
  if (const WriteSet::Entry* entry = own(key)) co_return own_value(*entry);
  note_read(key, isolation);
  Gets::count().add();
  const SampledTimer<Gets> timer;
  std::optional<std::string> value;
  rocksdb::Status status = read(key, Wait::kNo, value);
  if (status.IsIncomplete()) [[unlikely]]
    status = co_await engine_.run_blocking([&] { return read(key, Wait::kYes, value); });
  if (!status.ok()) [[unlikely]]
    co_return fail(to_status(status, "read"));
  co_return value;
}

io::Task<Result<std::vector<std::optional<std::string>>>> RocksdbTransaction::multi_get(std::vector<std::string> keys,
                                                                                        Isolation isolation) {
  std::vector<std::optional<std::string>> values(keys.size());
  std::vector<size_t> missing;  // what memory did not hold
  Gets::count().add(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (const WriteSet::Entry* entry = own(keys[i])) {
      values[i] = own_value(*entry);
      continue;
    }
    note_read(keys[i], isolation);
    const rocksdb::Status status = read(keys[i], Wait::kNo, values[i]);
    if (status.IsIncomplete())
      missing.push_back(i);
    else if (!status.ok())
      co_return fail(to_status(status, "read"));
  }
  if (missing.empty()) co_return values;
  const rocksdb::Status status = co_await engine_.run_blocking([&] {
    for (const size_t i : missing)
      if (rocksdb::Status one = read(keys[i], Wait::kYes, values[i]); !one.ok()) return one;
    return rocksdb::Status::OK();
  });
  if (!status.ok()) co_return fail(to_status(status, "read"));
  co_return values;
}

rocksdb::Status RocksdbTransaction::read_range(const Range& range, size_t limit, Wait wait, std::vector<Pair>& pairs) {
  std::optional<NoWait> no_wait;
  if (wait == Wait::kNo) no_wait.emplace();
  rocksdb::ReadOptions options = read_options(wait);
  const rocksdb::Slice end = slice(range.end);
  if (!range.end.empty()) options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> iterator(engine_.db().NewIterator(options));
  iterator->Seek(slice(range.begin));
  StoredCursor cursor{*iterator};
  pairs = overlay_scan(writes_, range, limit, cursor);
  return iterator->status();
}

io::Task<Result<std::vector<Pair>>> RocksdbTransaction::scan(Range range, size_t limit, Isolation isolation) {
  std::vector<Pair> pairs;
  if (limit == 0 || (!range.end.empty() && range.end <= range.begin)) co_return pairs;
  Scans::count().add();
  const SampledTimer<Scans> timer;
  rocksdb::Status status = read_range(range, limit, Wait::kNo, pairs);
  if (status.IsIncomplete())
    status = co_await engine_.run_blocking([&] { return read_range(range, limit, Wait::kYes, pairs); });
  if (!status.ok()) co_return fail(to_status(status, "scan"));
  if (isolation == Isolation::kSerializable) reads_.ranges.push_back(covered_range(std::move(range), limit, pairs));
  co_return pairs;
}

io::Task<Result<Version>> RocksdbTransaction::commit() {
  const Version read_version = snapshot_ ? snapshot_.version() : 0;
  if (writes_.empty() && !writes_.too_large()) co_return snapshot_ ? read_version : engine_.last_version();
  const SampledTimer<Commits> timer;
  for (int64_t wait = 0;; wait = std::min(std::max(2 * wait, kFirstStallWaitNs), kLongestStallWaitNs)) {
    std::optional<Result<Version>> outcome = engine_.try_commit(writes_, reads_, read_version);
    if (outcome) [[likely]]
      co_return *std::move(outcome);
    if (wait > 0) co_await pause(wait);
    Status prepared = co_await engine_.run_blocking([this] { return engine_.prepare_commit(writes_); });
    if (!prepared.ok()) co_return fail(std::move(prepared));
  }
}

}  // namespace firn::kv::rocks
