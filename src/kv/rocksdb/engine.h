// The engine behind open_rocksdb(): commits, their failures, and the log.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "io/blocking_pool.h"
#include "io/sync.h"
#include "kv/conflict_detector.h"
#include "kv/kv.h"
#include "kv/rocksdb/counters.h"
#include "kv/rocksdb/group_sync.h"
#include "kv/rocksdb/log_check.h"
#include "kv/rocksdb/log_errors.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "kv/rocksdb/snapshots.h"
#include "kv/rocksdb/space_reserve.h"
#include "kv/rocksdb/sync_marker.h"
#include "kv/write_set.h"

namespace firn::kv::rocks {

// A database and what it refers to, in the order in which they must outlive each other.
struct OpenedDatabase {
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<LogCheck> log_check;
  std::shared_ptr<LogFailure> log_failure;  // null: open for reading only
  std::unique_ptr<rocksdb::DB> db;
  bool reads_without_waiting = false;  // NoWait has an effect
};

// Invariants:
//  1. Every write to the database happens under commit_mutex_, so the library's sequence number after a write is
//     the commit's version, and versions ascend in the order of commits.
//  2. A commit is recorded in detector_ before commit_mutex_ is released, so the next validation sees it.
//  3. While failed_, the log is suspect: nothing is committed or reported durable until recover() succeeded.
class RocksdbEngine final : public Engine, public ShippingSource {
 public:
  // `reserve`: null: nothing is kept of the disk.
  RocksdbEngine(const RocksdbOptions& options, OpenedDatabase opened, SyncMarker marker,
                std::unique_ptr<SpaceReserve> reserve);
  ~RocksdbEngine() override;

  std::unique_ptr<Transaction> begin() override;
  io::Task<Result<void>> sync(Version version) override;
  Version last_version() const override { return last_version_.load(std::memory_order_acquire); }
  Version synced_version() const override { return logged_ ? group_sync_.synced_version() : last_version(); }
  Result<void> flush_to_os() override;
  Result<void> discard(Range range) override;
  std::vector<std::pair<std::string, std::string>> statistics() const override;
  uint64_t disk_bytes() const override;
  bool short_of_space() override { return reserve_ != nullptr && !reserve_->keep(); }
  io::Task<Result<void>> close() override;
  ShippingSource* shipping() override { return read_only_ ? nullptr : this; }
  Version set_commit_sink(CommitSink* sink) override;
  io::Task<Result<std::unique_ptr<Checkpoint>>> checkpoint() override;

  rocksdb::DB& db() { return *db_; }
  Snapshots& snapshots() { return *snapshots_; }
  bool reads_without_waiting() const { return reads_without_waiting_; }

  // Never waits for the disk. nullopt: it would have to; then prepare_commit() and try again.
  std::optional<Result<Version>> try_commit(const WriteSet& writes, const ReadSet& reads, Version read_version);
  // Does what try_commit() cannot: recovers from a failure, and reads the totals that `writes` adds to into the cache.
  // Blocks. A failure is the commit's.
  Status prepare_commit(const WriteSet& writes);

  // Runs `work` where it may block.
  template <class Work>
  io::Task<std::invoke_result_t<Work>> run_blocking(Work work) {
    if (blocking_pool_ == nullptr || io::Reactor::current() == nullptr) co_return work();
    co_return co_await blocking_pool_->run(std::move(work));
  }

 private:
  enum class Filled : uint8_t { kYes, kWouldBlock };

  // Translates `writes` into batch_. Under commit_mutex_, as all of these.
  Result<Filled> fill_batch(const WriteSet& writes);
  Result<Filled> fill_total(const WriteSet& writes, const WriteSet::Entry& entry);
  void finish_commit(const WriteSet& writes, Version version);

  // Writes the log's buffer, and syncs it if asked. A failure, also an earlier one of the log, sets failed_.
  Status write_log(bool sync);
  Result<Version> sync_log();
  Status recover();
  rocksdb::Status probe_space();
  rocksdb::Status start_new_log();
  Status close_now();

  const bool read_only_;
  const bool logged_;
  const bool reads_without_waiting_;
  io::BlockingPool* const blocking_pool_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<LogCheck> log_check_;
  const std::shared_ptr<LogFailure> log_failure_;
  std::unique_ptr<rocksdb::DB> db_;
  std::unique_ptr<Snapshots> snapshots_;
  SyncMarker marker_;
  const std::unique_ptr<SpaceReserve> reserve_;

  std::mutex commit_mutex_;  // guards the next six, and writing to db_
  ConflictDetector detector_;
  Counters counters_;
  rocksdb::WriteBatch batch_;
  std::vector<int64_t> totals_;  // of the entries of the commit under way that add, in order
  rocksdb::WriteOptions write_options_;
  CommitSink* sink_ = nullptr;

  std::atomic<Version> last_version_;
  std::atomic<Version> flushed_version_;
  std::atomic<bool> failed_ = false;
  std::mutex recovery_mutex_;  // guards the next two; held while recovering
  int64_t last_recovery_ns_ = 0;
  Status last_recovery_;
  std::atomic<uint64_t> commits_ = 0, conflicts_ = 0, stalls_ = 0, syncs_ = 0;
  GroupSync group_sync_;
  io::Gate checkpoints_;  // entered by those that are alive
};

}  // namespace firn::kv::rocks
