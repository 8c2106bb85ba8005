#include "kv/rocksdb/engine.h"

#include <rocksdb/convenience.h>
#include <rocksdb/perf_level.h>

#include "base/metrics.h"
#include "base/time.h"
#include "kv/counter.h"
#include "kv/rocksdb/checkpoint.h"
#include "kv/rocksdb/status.h"
#include "kv/rocksdb/transaction.h"

namespace firn::kv::rocks {

namespace {

constexpr int64_t kRecoveryIntervalNs = 1'000'000'000;
constexpr size_t kBatchHeaderBytes = 12;  // sequence number, count: the library's batch format

metrics::Histogram& sync_time() {
  static metrics::Histogram& histogram =
      metrics::process_registry().histogram("firn_kv_sync_seconds", "How long syncs of the log took.");
  return histogram;
}

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// By default the library counts every key comparison in thread-local storage: a tenth of a commit.
void stop_counting_on_this_thread() {
  thread_local const bool stopped = (rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable), true);
  (void)stopped;
}

}  // namespace

RocksdbEngine::RocksdbEngine(const RocksdbOptions& options, OpenedDatabase opened, SyncMarker marker,
                             std::unique_ptr<SpaceReserve> reserve)
    : read_only_(options.read_only),
      logged_(options.logged),
      reads_without_waiting_(opened.reads_without_waiting),
      blocking_pool_(options.blocking_pool),
      env_(std::move(opened.env)),
      log_check_(std::move(opened.log_check)),
      log_failure_(std::move(opened.log_failure)),
      db_(std::move(opened.db)),
      snapshots_(std::make_unique<Snapshots>(db_.get())),
      marker_(std::move(marker)),
      reserve_(std::move(reserve)),
      detector_(db_->GetLatestSequenceNumber()),
      last_version_(db_->GetLatestSequenceNumber()),
      flushed_version_(last_version()),
      group_sync_(last_version(), [this] { return run_blocking([this] { return sync_log(); }); }) {
  write_options_.no_slowdown = true;
  write_options_.disableWAL = !logged_;
}

RocksdbEngine::~RocksdbEngine() {
  if (db_ == nullptr) return;
  snapshots_.reset();
  rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
}

std::unique_ptr<Transaction> RocksdbEngine::begin() {
  static metrics::Counter& begun = metrics::process_registry().counter(
      "firn_kv_transactions_total", "Transactions begun, those that only read, too.");
  begun.add();
  stop_counting_on_this_thread();
  return std::make_unique<RocksdbTransaction>(*this);
}

Result<RocksdbEngine::Filled> RocksdbEngine::fill_total(const WriteSet& writes, const WriteSet::Entry& entry) {
  const std::string_view key = writes.key(entry);
  std::optional<int64_t> base;
  if (entry.kind == WriteSet::Kind::kNone) base = counters_.find(entry, key);
  if (entry.kind == WriteSet::Kind::kErase) base = 0;
  if (entry.kind == WriteSet::Kind::kPut) base = decode_counter(writes.value(entry));
  if (entry.kind == WriteSet::Kind::kNone && !base) {
    rocksdb::ReadOptions from_memory;
    from_memory.read_tier = rocksdb::kBlockCacheTier;
    std::string stored;
    const rocksdb::Status read = db_->Get(from_memory, slice(key), &stored);
    if (read.IsIncomplete()) return Filled::kWouldBlock;
    if (!read.ok() && !read.IsNotFound()) return fail(to_status(read, "read a total"));
    base = read.ok() ? decode_counter(stored) : 0;
  }
  if (!base) return fail(Code::kCorrupt, "the value added to is not a 64-bit integer");
  totals_.push_back(add_counter(*base, entry.delta));
  batch_.Put(slice(key), encode_counter(totals_.back()));
  return Filled::kYes;
}

Result<RocksdbEngine::Filled> RocksdbEngine::fill_batch(const WriteSet& writes) {
  batch_.Clear();
  totals_.clear();
  for (const WriteSet::Entry& entry : writes) {
    rocksdb::Status status;
    if (entry.added) {
      if (TRY(fill_total(writes, entry)) == Filled::kWouldBlock) return Filled::kWouldBlock;
    } else if (entry.kind == WriteSet::Kind::kPut) {
      status = batch_.Put(slice(writes.key(entry)), slice(writes.value(entry)));
    } else {
      status = batch_.Delete(slice(writes.key(entry)));
    }
    if (!status.ok()) return fail(to_status(status, "collect a write"));
  }
  return Filled::kYes;
}

void RocksdbEngine::finish_commit(const WriteSet& writes, Version version) {
  detector_.record(writes, version);
  size_t index = 0;
  for (const WriteSet::Entry& entry : writes) {
    if (entry.added)
      counters_.set(entry, writes.key(entry), totals_[index++]);
    else
      counters_.forget(entry);
  }
  last_version_.store(version, std::memory_order_release);
  commits_.fetch_add(1, std::memory_order_relaxed);
}

std::optional<Result<Version>> RocksdbEngine::try_commit(const WriteSet& writes, const ReadSet& reads,
                                                         Version read_version) {
  if (read_only_) return fail(Code::kReadOnly, "the database is open for reading only");
  if (writes.too_large()) return fail(Code::kInvalid, "a key, a value or the transaction is too large");
  std::lock_guard lock(commit_mutex_);
  if (failed_.load(std::memory_order_relaxed)) return std::nullopt;
  if (!reads.empty() && detector_.conflicts(reads, read_version)) {
    conflicts_.fetch_add(1, std::memory_order_relaxed);
    return fail(Code::kConflict);
  }
  Result<Filled> filled = fill_batch(writes);
  if (!filled) return fail(std::move(filled).error());
  if (*filled == Filled::kWouldBlock) return std::nullopt;
  const rocksdb::Status status = db_->Write(write_options_, &batch_);
  if (status.IsIncomplete()) {
    stalls_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  if (!status.ok()) {
    failed_.store(true, std::memory_order_release);
    counters_.clear();
    return fail(to_status(status, "commit"));
  }
  // The commit stands, in memory; the next one finds out.
  if (log_failure_->failed()) failed_.store(true, std::memory_order_release);
  const Version version = db_->GetLatestSequenceNumber();
  // What the library writes before the header's end is its own; the rest is the grammar of kv/shipping.h, as long as
  // fill_batch() only puts and erases in the default column family.
  if (sink_ != nullptr) sink_->committed(version, std::string_view(batch_.Data()).substr(kBatchHeaderBytes));
  finish_commit(writes, version);
  return version;
}

Status RocksdbEngine::prepare_commit(const WriteSet& writes) {
  if (failed_.load(std::memory_order_acquire))
    if (Status recovered = recover(); !recovered.ok()) return recovered;
  for (const WriteSet::Entry& entry : writes) {
    if (!entry.added || entry.kind != WriteSet::Kind::kNone) continue;
    std::string stored;
    const rocksdb::Status read = db_->Get(rocksdb::ReadOptions(), slice(writes.key(entry)), &stored);
    if (!read.ok() && !read.IsNotFound()) return to_status(read, "read a total");
  }
  return {};
}

// Resume() can wait for ever for a flush that the disk has no room for; so see first whether it has.
rocksdb::Status RocksdbEngine::probe_space() {
  uint64_t unflushed = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &unflushed);
  const std::string path = db_->GetName() + "/FIRN_PROBE";
  const std::string zeros(1 << 20, '\0');
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = db_->GetEnv()->NewWritableFile(path, &file, rocksdb::EnvOptions());
  for (uint64_t written = 0; status.ok() && written < unflushed + zeros.size(); written += zeros.size())
    status = file->Append(zeros);
  if (status.ok()) status = file->Sync();
  file.reset();
  db_->GetEnv()->DeleteFile(path).PermitUncheckedError();
  return status;
}

// A new log begins only with a flush, and only a memtable that is not empty is flushed: so write something, to
// no key and to no log.
rocksdb::Status RocksdbEngine::start_new_log() {
  {
    std::lock_guard lock(commit_mutex_);
    rocksdb::WriteOptions unlogged;
    unlogged.disableWAL = true;
    const rocksdb::Slice nowhere("", 0);
    rocksdb::Status status = db_->DeleteRange(unlogged, db_->DefaultColumnFamily(), nowhere, nowhere);
    if (!status.ok()) return status;
  }
  return db_->Flush(rocksdb::FlushOptions());
}

// After a failed append or sync the tail of the log cannot be trusted, but the memtables hold every commit. Resume()
// and the flush write them to tables and start a new log.
Status RocksdbEngine::recover() {
  std::lock_guard lock(recovery_mutex_);
  if (!failed_.load(std::memory_order_acquire)) return {};
  const int64_t now = system_clock().monotonic_ns();
  if (!last_recovery_.ok() && now - last_recovery_ns_ < kRecoveryIntervalNs) return last_recovery_;
  last_recovery_ns_ = now;
  rocksdb::Status status = probe_space();
  if (status.IsNoSpace() && reserve_ != nullptr && reserve_->give_up()) status = probe_space();
  if (status.ok()) status = db_->Resume();
  if (status.ok()) {
    log_failure_->clear();
    status = start_new_log();
  }
  if (status.ok() && log_failure_->failed()) status = log_failure_->status();
  last_recovery_ = to_status(status, "recover from an earlier failure");
  if (status.ok()) failed_.store(false, std::memory_order_release);
  return last_recovery_;
}

Status RocksdbEngine::write_log(bool sync) {
  rocksdb::Status status = db_->FlushWAL(sync);
  if (status.ok() && log_failure_->failed()) status = log_failure_->status();
  if (!status.ok()) failed_.store(true, std::memory_order_release);
  return to_status(status, sync ? "sync the log" : "write the log");
}

Result<Version> RocksdbEngine::sync_log() {
  if (failed_.load(std::memory_order_acquire))
    if (Status recovered = recover(); !recovered.ok()) return fail(std::move(recovered));
  const Version version = last_version();
  const int64_t started_ns = system_clock().monotonic_ns();
  if (Status written = write_log(/*sync=*/true); !written.ok()) return fail(std::move(written));
  sync_time().record(static_cast<uint64_t>(system_clock().monotonic_ns() - started_ns));
  syncs_.fetch_add(1, std::memory_order_relaxed);
  flushed_version_.store(version, std::memory_order_release);
  // A marker that is too old only weakens the check at the next open.
  marker_.write(version).PermitUncheckedError();
  snapshots_->drop_cached();
  return version;
}

io::Task<Result<void>> RocksdbEngine::sync(Version version) {
  if (!logged_) {
    snapshots_->drop_cached();
    co_return Result<void>();
  }
  if (version <= group_sync_.synced_version()) co_return Result<void>();
  co_return co_await group_sync_.sync(version);
}

Result<void> RocksdbEngine::flush_to_os() {
  const Version version = last_version();
  if (!logged_ || version <= flushed_version_.load(std::memory_order_acquire)) return {};
  if (failed_.load(std::memory_order_acquire)) return fail(Code::kIo, "the log failed earlier");
  if (Status written = write_log(/*sync=*/false); !written.ok()) return fail(std::move(written));
  flushed_version_.store(version, std::memory_order_release);
  return {};
}

Result<void> RocksdbEngine::discard(Range range) {
  if (read_only_) return fail(Code::kReadOnly, "the database is open for reading only");
  // InsertHintPrefix says why.
  if (range.begin.size() != 1 || range.end.empty()) return fail(Code::kInvalid);
  std::lock_guard lock(commit_mutex_);
  if (failed_.load(std::memory_order_relaxed)) return fail(Code::kBusy);
  const rocksdb::Status status =
      db_->DeleteRange(write_options_, db_->DefaultColumnFamily(), slice(range.begin), slice(range.end));
  if (status.IsIncomplete()) return fail(Code::kBusy);
  if (status.ok()) return {};
  failed_.store(true, std::memory_order_release);
  return fail(to_status(status, "discard a range"));
}

std::vector<std::pair<std::string, std::string>> RocksdbEngine::statistics() const {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"engine", "rocksdb"},
      {"last_version", std::to_string(last_version())},
      {"synced_version", std::to_string(synced_version())},
      {"commits", std::to_string(commits_.load())},
      {"conflicts", std::to_string(conflicts_.load())},
      {"stalls", std::to_string(stalls_.load())},
      {"syncs", std::to_string(syncs_.load())},
      {"failed", failed_.load() ? "1" : "0"},
  };
  const std::pair<const char*, const std::string*> properties[] = {
      {"memtable_bytes", &rocksdb::DB::Properties::kCurSizeAllMemTables},
      {"table_bytes", &rocksdb::DB::Properties::kTotalSstFilesSize},
      {"table_memory_bytes", &rocksdb::DB::Properties::kEstimateTableReadersMem},
      {"block_cache_bytes", &rocksdb::DB::Properties::kBlockCacheUsage},
      {"pending_compaction_bytes", &rocksdb::DB::Properties::kEstimatePendingCompactionBytes},
      {"estimated_keys", &rocksdb::DB::Properties::kEstimateNumKeys},
      {"snapshots", &rocksdb::DB::Properties::kNumSnapshots},
      {"background_errors", &rocksdb::DB::Properties::kBackgroundErrors},
  };
  for (const auto& [name, property] : properties)
    if (std::string value; db_->GetProperty(*property, &value)) facts.emplace_back(name, std::move(value));
  return facts;
}

uint64_t RocksdbEngine::disk_bytes() const {
  uint64_t bytes = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

Version RocksdbEngine::set_commit_sink(CommitSink* sink) {
  std::lock_guard lock(commit_mutex_);
  sink_ = sink;
  return last_version();
}

io::Task<Result<std::unique_ptr<Checkpoint>>> RocksdbEngine::checkpoint() {
  io::Gate::Entry entry = checkpoints_.enter();
  if (!entry) co_return fail(Code::kUnavailable, "the database is being closed");
  auto taken = std::make_unique<LiveTables>(*db_, blocking_pool_, std::move(entry));
  Status status = co_await run_blocking([&] { return taken->take(); });
  if (!status.ok()) co_return fail(std::move(status));
  // Everything that the tables hold was committed before this.
  taken->set_through(last_version());
  co_return taken;
}

Status RocksdbEngine::close_now() {
  snapshots_.reset();
  rocksdb::Status status;
  if (!read_only_) {
    // The next open then has nothing to replay.
    status = db_->Flush(rocksdb::FlushOptions());
    if (status.IsNoSpace() && reserve_ != nullptr && reserve_->give_up()) {
      status = probe_space();
      if (status.ok()) status = db_->Resume();
      if (status.ok()) status = db_->Flush(rocksdb::FlushOptions());
    }
    if (status.ok()) status = marker_.sync();
  }
  rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
  const rocksdb::Status closed = db_->Close();
  db_.reset();
  return to_status(status.ok() ? closed : status, "close the database");
}

io::Task<Result<void>> RocksdbEngine::close() {
  if (db_ == nullptr) co_return Result<void>();
  if (io::Reactor::current() != nullptr) co_await checkpoints_.close();
  Result<void> synced = co_await sync(last_version());
  Status closed = co_await run_blocking([this] { return close_now(); });
  if (!synced) co_return synced;
  if (!closed.ok()) co_return fail(std::move(closed));
  co_return Result<void>();
}

}  // namespace firn::kv::rocks
