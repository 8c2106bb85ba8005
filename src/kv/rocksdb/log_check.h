// Sees that the log is replayed without a hole.
//
// The library's reader passes over zeroed blocks, and over the lost end of a log that another log follows, and goes on
// with what comes after. A power cut leaves such holes when unsynced pages were written back out of order. Commits are
// numbered without gaps, so a hole shows, and the replay ends there: what is recovered is a prefix of the commits.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/wal_filter.h>

#include <optional>
#include <string>

#include "kv/kv.h"

namespace firn::kv::rocks {

// For one opening of a database, which it must outlive.
class LogCheck final : public rocksdb::WalFilter {
 public:
  // `synced`: as the sync marker says.
  LogCheck(rocksdb::Env* env, std::optional<Version> synced) : env_(env), synced_(synced) {}

  const char* Name() const override { return "firn.LogCheck"; }
  void ColumnFamilyLogNumberMap(const std::map<uint32_t, uint64_t>& first_logs,
                                const std::map<std::string, uint32_t>& ids) override;
  WalProcessingOption LogRecordFound(unsigned long long log, const std::string& path, const rocksdb::WriteBatch& batch,
                                     rocksdb::WriteBatch* new_batch, bool* batch_changed) override;

  // Where the hole is, or an empty string.
  const std::string& hole() const { return hole_; }

 private:
  bool follows(uint64_t log, const std::string& path, Version first);
  // Whether the log's very first record is the batch that begins with `first`.
  bool begins_with(const std::string& path, Version first) const;

  rocksdb::Env* env_;
  const std::optional<Version> synced_;
  uint64_t first_log_ = 0;  // the oldest that may hold what no table does
  uint64_t log_ = 0;        // the one of the last record; 0: none yet
  Version next_ = 0;
  std::string hole_;
};

}  // namespace firn::kv::rocks
