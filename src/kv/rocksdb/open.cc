#include <rocksdb/db.h>

#include <filesystem>

#include "kv/rocksdb/engine.h"
#include "kv/rocksdb/library_log.h"
#include "kv/rocksdb/log_check.h"
#include "kv/rocksdb/log_errors.h"
#include "kv/rocksdb/no_wait.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "kv/rocksdb/space_reserve.h"
#include "kv/rocksdb/status.h"
#include "kv/rocksdb/sync_marker.h"
#include "kv/rocksdb/tuning.h"

namespace firn::kv {

namespace {

using rocks::LibraryLog;
using rocks::LogCheck;
using rocks::LogErrors;
using rocks::LogFailure;
using rocks::OpenedDatabase;
using rocks::SyncMarker;

// One attempt to open a database.
class Opening {
 public:
  explicit Opening(const RocksdbOptions& options)
      : path_(options.path),
        log_(std::make_shared<LibraryLog>(options.log)),
        tuned_(rocks::tuned_options(options, log_)),
        marker_(tuned_.env, path_),
        synced_(marker_.read()) {}

  bool exists() const { return tuned_.env->FileExists(path_ + "/CURRENT").ok(); }

  // kCorrupt when commits are missing that had been synced. Changes nothing.
  Result<OpenedDatabase> for_reading();
  // Cuts off what cannot be replayed; so check_before_writing() goes first. Everything found is durable afterwards.
  Result<OpenedDatabase> for_writing();
  Status check_before_writing();

  SyncMarker& marker() { return marker_; }

 private:
  Status failure(const rocksdb::Status& status) const;
  Status missing_commits(Version last, const LogCheck& check) const;

  std::string path_;
  std::shared_ptr<LibraryLog> log_;
  rocksdb::Options tuned_;
  SyncMarker marker_;
  std::optional<Version> synced_;
};

Status Opening::failure(const rocksdb::Status& status) const {
  Status failure = rocks::to_status(status, "open the database " + path_);
  // The database's CURRENT is there: a file that is not is damage.
  if (failure.code() == Code::kNotFound) return Status(Code::kCorrupt, failure.message());
  if (failure.code() == Code::kCorrupt && !log_->damage().empty())
    return Status(Code::kCorrupt, failure.message() + " (" + log_->damage() + ")");
  return failure;
}

Status Opening::missing_commits(Version last, const LogCheck& check) const {
  std::string where = log_->damage();
  if (where.empty()) where = check.hole();
  if (where.empty()) where = "a .log file is truncated or missing";
  return Status(Code::kCorrupt, "the log of the database " + path_ + " ends at version " + std::to_string(last) +
                                    ", but version " + std::to_string(*synced_) + " had been synced: " + where);
}

Result<OpenedDatabase> Opening::for_reading() {
  OpenedDatabase opened{.log_check = std::make_unique<LogCheck>(tuned_.env, synced_)};
  tuned_.wal_filter = opened.log_check.get();
  rocksdb::DB* db = nullptr;
  if (auto status = rocksdb::DB::OpenForReadOnly(tuned_, path_, &db); !status.ok()) return fail(failure(status));
  opened.db.reset(db);
  const Version last = db->GetLatestSequenceNumber();
  if (synced_ && last < *synced_) return fail(missing_commits(last, *opened.log_check));
  return opened;
}

Status Opening::check_before_writing() {
  rocksdb::FileLock* lock = nullptr;
  if (auto status = tuned_.env->LockFile(path_ + "/LOCK", &lock); !status.ok()) return failure(status);
  Result<OpenedDatabase> checked = for_reading();
  tuned_.env->UnlockFile(lock).PermitUncheckedError();
  return checked ? Status() : std::move(checked).error();
}

Result<OpenedDatabase> Opening::for_writing() {
  OpenedDatabase opened{.log_check = std::make_unique<LogCheck>(tuned_.env, synced_)};
  tuned_.wal_filter = opened.log_check.get();
  std::shared_ptr<rocksdb::FileSystem> files = tuned_.env->GetFileSystem();
  opened.reads_without_waiting = tuned_.env == rocksdb::Env::Default();
  if (opened.reads_without_waiting) files = std::make_shared<rocks::NoWaitReads>(std::move(files));
  opened.log_failure = std::make_shared<LogFailure>();
  opened.env = rocksdb::NewCompositeEnv(std::make_shared<LogErrors>(std::move(files), opened.log_failure));
  tuned_.env = opened.env.get();
  rocksdb::DB* db = nullptr;
  if (auto status = rocksdb::DB::Open(tuned_, path_, &db); !status.ok()) return fail(failure(status));
  opened.db.reset(db);
  if (opened.log_failure->failed()) return fail(failure(opened.log_failure->status()));
  // LogCheck relies on the marker being at least where the new log begins.
  rocksdb::Status status = marker_.open();
  if (status.ok()) status = marker_.write(db->GetLatestSequenceNumber());
  if (status.ok()) status = marker_.sync();
  if (!status.ok()) return fail(rocks::to_status(status, "write the sync marker of " + path_));
  return opened;
}

// Takes the reserve when it succeeds.
Result<std::unique_ptr<Engine>> open_once(const RocksdbOptions& options, bool exists,
                                          std::unique_ptr<rocks::SpaceReserve>* reserve) {
  Opening opening(options);
  if (exists && !options.read_only)
    if (Status checked = opening.check_before_writing(); !checked.ok()) return fail(std::move(checked));
  rocks::OpenedDatabase opened = TRY(options.read_only ? opening.for_reading() : opening.for_writing());
  return std::make_unique<rocks::RocksdbEngine>(options, std::move(opened), std::move(opening.marker()),
                                                reserve != nullptr ? std::move(*reserve) : nullptr);
}

}  // namespace

Result<std::unique_ptr<Engine>> open_rocksdb(RocksdbOptions options) {
  const bool exists = Opening(options).exists();
  if (!exists && (!options.create || options.read_only)) return fail(Code::kNotFound, "no database at " + options.path);
  if (options.read_only || options.reserve_bytes == 0) return open_once(options, exists, nullptr);
  std::error_code ignored;
  if (!exists) std::filesystem::create_directory(options.path, ignored);
  auto reserve = std::make_unique<rocks::SpaceReserve>(options.path, options.reserve_bytes);
  Result<std::unique_ptr<Engine>> opened = open_once(options, exists, &reserve);
  // Its log becomes a table.
  if (!opened && opened.error() == Code::kNoSpace && reserve->give_up()) opened = open_once(options, exists, &reserve);
  return opened;
}

}  // namespace firn::kv
