#include "kv/rocksdb/log_check.h"

#include <rocksdb/write_batch.h>

#include "kv/counter.h"

namespace firn::kv::rocks {

namespace {

constexpr size_t kRecordHeaderBytes = 7;  // checksum, length, type: the library's log format

// A batch, and so a record's payload, begins with the sequence number of its first write.
Version first_version(std::string_view batch) { return static_cast<Version>(*decode_counter(batch.substr(0, 8))); }

}  // namespace

void LogCheck::ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& first_logs,
                                        const std::map<std::string, uint32_t>&) {
  if (const auto found = first_logs.find(0); found != first_logs.end()) first_log_ = found->second;
}

bool LogCheck::begins_with(const std::string& path, Version first) const {
  std::unique_ptr<rocksdb::SequentialFile> file;
  char bytes[kRecordHeaderBytes + 8];
  rocksdb::Slice head;
  if (!env_->NewSequentialFile(path, &file, rocksdb::EnvOptions()).ok()) return false;
  if (!file->Read(sizeof bytes, &head, bytes).ok() || head.size() < sizeof bytes) return false;
  return first_version({head.data() + kRecordHeaderBytes, 8}) == first;
}

bool LogCheck::follows(uint64_t log, const std::string& path, Version first) {
  if (log == log_) return first == next_;
  if (!begins_with(path, first)) return false;
  if (log_ != 0) return first == next_;
  // A log that no table has anything of begins where the tables end. Otherwise it is the first since the database was
  // opened, which made everything before it durable.
  return log == first_log_ || !synced_ || first <= *synced_ + 1;
}

rocksdb::WalFilter::WalProcessingOption LogCheck::LogRecordFound(unsigned long long log, const std::string& path,
                                                                 const rocksdb::WriteBatch& batch, rocksdb::WriteBatch*,
                                                                 bool* batch_changed) {
  *batch_changed = false;
  if (!hole_.empty()) return WalProcessingOption::kStopReplay;
  const Version first = first_version(batch.Data());
  if (!follows(log, path, first)) {
    hole_ = path + ": commits are missing before version " + std::to_string(first);
    return WalProcessingOption::kStopReplay;
  }
  log_ = log;
  next_ = first + static_cast<Version>(batch.Count());
  return WalProcessingOption::kContinueProcessing;
}

}  // namespace firn::kv::rocks
