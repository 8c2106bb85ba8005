#include "kv/rocksdb/late_errors.h"

namespace firn::kv::rocks {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class Log final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Log(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<std::atomic<bool>> opening)
      : FSWritableFileOwnerWrapper(std::move(file)), opening_(std::move(opening)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    if (!failure_.ok()) return late(failure_);
    return late(target()->Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    if (!failure_.ok()) return late(failure_);
    return late(target()->Append(data, options, info, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return late(target()->Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return failure_.ok() ? target()->Sync(options, debug) : failure_;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return failure_.ok() ? target()->Fsync(options, debug) : failure_;
  }

 private:
  IOStatus late(const IOStatus& status) {
    if (status.ok() || !opening_->load(std::memory_order_acquire)) return status;
    failure_ = status;
    return IOStatus::OK();
  }

  std::shared_ptr<std::atomic<bool>> opening_;
  IOStatus failure_;  // set only while opening, on the one thread that opens
};

}  // namespace

rocksdb::IOStatus LateErrors::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              rocksdb::IODebugContext* debug) {
  IOStatus status = target()->NewWritableFile(path, options, result, debug);
  if (status.ok() && path.ends_with(".log") && opening_->load(std::memory_order_acquire))
    *result = std::make_unique<Log>(std::move(*result), opening_);
  return status;
}

}  // namespace firn::kv::rocks
