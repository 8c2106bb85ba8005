// Keeps a log's errors from RocksDB and for the engine. The library must not see them: while it deals with one, another
// thread's append to the same log fails an assertion, which Debian's build has left in, and the process dies; and in
// DB::Open, with manual_wal_flush, it waits for a mutex that it holds.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace firn::kv::rocks {

// The first error of any log since clear(). Thread-safe.
class LogFailure {
 public:
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  rocksdb::IOStatus status() const;
  void set(const rocksdb::IOStatus& status);
  void clear();

 private:
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;  // guards status_
  rocksdb::IOStatus status_;
};

// Writes to a log always succeed as far as the library can tell. After its first error a log takes nothing more, so
// that it has no hole: whoever finds failed() must write the memtables to tables and begin a new one.
class LogErrors final : public rocksdb::FileSystemWrapper {
 public:
  LogErrors(std::shared_ptr<rocksdb::FileSystem> files, std::shared_ptr<LogFailure> failure)
      : FileSystemWrapper(std::move(files)), failure_(std::move(failure)) {}
  const char* Name() const override { return "firn.LogErrors"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;

 private:
  const std::shared_ptr<LogFailure> failure_;
};

}  // namespace firn::kv::rocks
