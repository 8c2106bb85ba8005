// Works around a deadlock of RocksDB 7.8 while it opens a database with manual_wal_flush: an append to the new log that
// fails there (a full disk) takes a mutex that DB::Open holds already. A failed sync, the next step, is reported well.
#pragma once

#include <rocksdb/file_system.h>

#include <atomic>
#include <memory>
#include <string>

namespace firn::kv::rocks {

// Until opened() is called, a log's failed appends are kept for its next sync.
class LateErrors final : public rocksdb::FileSystemWrapper {
 public:
  using rocksdb::FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "firn.LateErrors"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  void opened() { opening_->store(false, std::memory_order_release); }

 private:
  std::shared_ptr<std::atomic<bool>> opening_ = std::make_shared<std::atomic<bool>>(true);
};

}  // namespace firn::kv::rocks
