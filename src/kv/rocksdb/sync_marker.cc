#include "kv/rocksdb/sync_marker.h"

#include "base/time.h"
#include "kv/counter.h"
#include "kv/key_hash.h"

namespace firn::kv::rocks {

namespace {

std::string encode(Version version) {
  std::string bytes = encode_counter(static_cast<int64_t>(version));
  return bytes + encode_counter(static_cast<int64_t>(hash_key(bytes)));
}

}  // namespace

std::optional<Version> SyncMarker::read() const {
  std::string bytes;
  if (!rocksdb::ReadFileToString(env_, path_, &bytes).ok() || bytes.size() < 16) return std::nullopt;
  const auto version = static_cast<Version>(*decode_counter(std::string_view(bytes).substr(0, 8)));
  if (bytes.substr(0, 16) != encode(version)) return std::nullopt;
  return version;
}

rocksdb::Status SyncMarker::open() {
  if (!env_->FileExists(path_).ok()) {
    std::unique_ptr<rocksdb::WritableFile> created;
    rocksdb::Status status = env_->NewWritableFile(path_, &created, rocksdb::EnvOptions());
    if (status.ok()) status = created->Close();
    std::unique_ptr<rocksdb::Directory> folder;
    if (status.ok()) status = env_->NewDirectory(path_.substr(0, path_.rfind('/')), &folder);
    if (status.ok()) status = folder->Fsync();
    if (!status.ok()) return status;
  }
  return env_->NewRandomRWFile(path_, &file_, rocksdb::EnvOptions());
}

rocksdb::Status SyncMarker::write(Version version) {
  rocksdb::Status status = file_->Write(0, encode(version));
  const int64_t now = system_clock().monotonic_ns();
  if (!status.ok() || now - last_sync_ns_ < kSyncIntervalNs) return status;
  last_sync_ns_ = now;
  return sync();
}

rocksdb::Status SyncMarker::sync() { return file_->Sync(); }

}  // namespace firn::kv::rocks
