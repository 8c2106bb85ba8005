#include "kv/rocksdb/snapshots.h"

namespace firn::kv::rocks {

Snapshots::Ref Snapshots::acquire() {
  Shared* stale = nullptr;
  Shared* result = nullptr;
  {
    std::lock_guard lock(current_mutex_);
    if (current_ == nullptr || current_->version != db_->GetLatestSequenceNumber()) {
      const rocksdb::Snapshot* snapshot = db_->GetSnapshot();
      stale = std::exchange(current_, new Shared{snapshot, snapshot->GetSequenceNumber(), 1});
    }
    result = current_;
    result->references.fetch_add(1, std::memory_order_relaxed);
  }
  if (stale != nullptr) release(stale);
  return Ref(this, result);
}

void Snapshots::drop_cached() {
  Shared* dropped = nullptr;
  {
    std::lock_guard lock(current_mutex_);
    dropped = std::exchange(current_, nullptr);
  }
  if (dropped != nullptr) release(dropped);
}

void Snapshots::release(Shared* shared) {
  if (shared->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  db_->ReleaseSnapshot(shared->snapshot);
  delete shared;
}

}  // namespace firn::kv::rocks
