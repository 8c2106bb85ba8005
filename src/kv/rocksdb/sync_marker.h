// The file FIRN_SYNCED in the database's folder: the newest version known to be durable.
//
// The log's recovery cannot tell a torn end, which a power cut may leave, from damage to what had been synced:
// both are a record that fails its checksum, and both end the replay. The marker can: it is written after every
// sync of the log, and an opened database whose last version is below it has lost synced commits.
// The marker itself is not synced but when the database is closed, so after a power cut it may be older than the truth,
// never newer.
#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <optional>
#include <string>

#include "kv/kv.h"

namespace firn::kv::rocks {

// Format: 8 bytes version, 8 bytes hash of them, both little-endian.
class SyncMarker {
 public:
  SyncMarker(rocksdb::Env* env, std::string folder) : env_(env), path_(std::move(folder) + "/FIRN_SYNCED") {}

  // nullopt: there is none, or none that is whole.
  std::optional<Version> read() const;
  // Opens the file for write(), creating it.
  rocksdb::Status open();
  // Syncs the marker too when that was last done kSyncIntervalNs ago. One caller at a time.
  rocksdb::Status write(Version version);
  rocksdb::Status sync();

 private:
  static constexpr int64_t kSyncIntervalNs = 10'000'000'000;

  rocksdb::Env* env_;
  std::string path_;
  std::unique_ptr<rocksdb::RandomRWFile> file_;
  int64_t last_sync_ns_ = 0;
};

}  // namespace firn::kv::rocks
