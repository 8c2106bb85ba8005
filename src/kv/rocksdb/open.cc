#include <rocksdb/db.h>

#include "kv/rocksdb/engine.h"
#include "kv/rocksdb/library_log.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "kv/rocksdb/status.h"
#include "kv/rocksdb/sync_marker.h"
#include "kv/rocksdb/tuning.h"

namespace firn::kv {

namespace {

using rocks::LibraryLog;
using rocks::SyncMarker;

Status open_failure(const rocksdb::Status& status, const LibraryLog& log, const std::string& path) {
  Status failure = rocks::to_status(status, "open the database " + path);
  // The database's CURRENT is there: a file that is not is damage.
  if (failure.code() == Code::kNotFound) return Status(Code::kCorrupt, failure.message());
  if (failure.code() == Code::kCorrupt && !log.damage().empty())
    return Status(Code::kCorrupt, failure.message() + " (" + log.damage() + ")");
  return failure;
}

Result<std::unique_ptr<rocksdb::DB>> open_for_reading(const rocksdb::Options& tuned, const LibraryLog& log,
                                                      const std::string& path) {
  rocksdb::DB* opened = nullptr;
  if (auto status = rocksdb::DB::OpenForReadOnly(tuned, path, &opened); !status.ok())
    return fail(open_failure(status, log, path));
  std::unique_ptr<rocksdb::DB> db(opened);
  const Version synced = SyncMarker(tuned.env, path).read();
  if (db->GetLatestSequenceNumber() >= synced) return db;
  const std::string damage = log.damage();
  return fail(Code::kCorrupt, "the log of the database " + path + " ends at version " +
                                  std::to_string(db->GetLatestSequenceNumber()) + ", but version " +
                                  std::to_string(synced) + " had been synced: " +
                                  (damage.empty() ? std::string("a .log file is truncated or missing") : damage));
}

// Opening for writing cuts off what cannot be replayed; so look first, while nothing can change.
Status check_before_writing(const rocksdb::Options& tuned, const LibraryLog& log, const std::string& path) {
  const std::string lock_path = path + "/LOCK";
  rocksdb::FileLock* lock = nullptr;
  if (auto status = tuned.env->LockFile(lock_path, &lock); !status.ok()) return open_failure(status, log, path);
  Result<std::unique_ptr<rocksdb::DB>> checked = open_for_reading(tuned, log, path);
  tuned.env->UnlockFile(lock).PermitUncheckedError();
  return checked ? Status() : std::move(checked).error();
}

}  // namespace

Result<std::unique_ptr<Engine>> open_rocksdb(RocksdbOptions options) {
  auto log = std::make_shared<LibraryLog>(options.log);
  const rocksdb::Options tuned = rocks::tuned_options(options, log);
  const bool exists = tuned.env->FileExists(options.path + "/CURRENT").ok();
  if (!exists && (!options.create || options.read_only)) return fail(Code::kNotFound, "no database at " + options.path);
  SyncMarker marker(tuned.env, options.path);
  if (options.read_only) {
    auto db = TRY(open_for_reading(tuned, *log, options.path));
    return std::make_unique<rocks::RocksdbEngine>(options, std::move(db), std::move(marker));
  }
  if (exists) {
    if (Status checked = check_before_writing(tuned, *log, options.path); !checked.ok())
      return fail(std::move(checked));
  }
  rocksdb::DB* opened = nullptr;
  if (auto status = rocksdb::DB::Open(tuned, options.path, &opened); !status.ok())
    return fail(open_failure(status, *log, options.path));
  std::unique_ptr<rocksdb::DB> db(opened);
  if (auto status = marker.open(); !status.ok()) return fail(rocks::to_status(status, "open the sync marker"));
  return std::make_unique<rocks::RocksdbEngine>(options, std::move(db), std::move(marker));
}

}  // namespace firn::kv
