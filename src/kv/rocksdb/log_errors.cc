#include "kv/rocksdb/log_errors.h"

namespace firn::kv::rocks {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class Log final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Log(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<LogFailure> failure)
      : FSWritableFileOwnerWrapper(std::move(file)), failure_(std::move(failure)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return kept([&] { return target()->Append(data, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return kept([&] { return target()->Append(data, options, info, debug); });
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return kept([&] { return target()->Flush(options, debug); });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return kept([&] { return target()->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return kept([&] { return target()->Fsync(options, debug); });
  }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options, IODebugContext* debug) override {
    return kept([&] { return target()->RangeSync(offset, bytes, options, debug); });
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus status = target()->Close(options, debug);
    if (!status.ok()) failure_->set(status);
    return IOStatus::OK();
  }

 private:
  template <class Call>
  IOStatus kept(Call call) {
    if (broken_.load(std::memory_order_acquire)) return IOStatus::OK();
    const IOStatus status = call();
    if (status.ok()) return status;
    broken_.store(true, std::memory_order_release);
    failure_->set(status);
    return IOStatus::OK();
  }

  const std::shared_ptr<LogFailure> failure_;
  std::atomic<bool> broken_ = false;
};

}  // namespace

IOStatus LogFailure::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void LogFailure::set(const IOStatus& status) {
  std::lock_guard lock(mutex_);
  if (failed()) return;
  status_ = status;
  failed_.store(true, std::memory_order_release);
}

void LogFailure::clear() {
  std::lock_guard lock(mutex_);
  status_ = IOStatus::OK();
  failed_.store(false, std::memory_order_release);
}

IOStatus LogErrors::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) {
  IOStatus status = target()->NewWritableFile(path, options, result, debug);
  if (status.ok() && path.ends_with(".log")) *result = std::make_unique<Log>(std::move(*result), failure_);
  return status;
}

}  // namespace firn::kv::rocks
