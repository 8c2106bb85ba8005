#include "kv/conflict_detector.h"

#include "base/check.h"

namespace firn::kv {

ConflictDetector::ConflictDetector(Version start, Options options)
    : slots_(options.slots, start), window_(options.window_keys), window_floor_(start), last_version_(start) {
  CHECK((options.slots & (options.slots - 1)) == 0 && options.slots > 0 && options.window_keys > 0);
}

template <class Visit>
bool ConflictDetector::any_since(Version read_version, Visit visit) const {
  size_t index = next_;
  for (size_t seen = 0; seen < filled_; ++seen) {
    index = (index == 0 ? window_.size() : index) - 1;
    const Write& write = window_[index];
    if (write.version <= read_version) return false;
    if (visit(write)) return true;
  }
  return false;
}

bool ConflictDetector::key_written_since(uint64_t key_hash, Version read_version) const {
  if (slots_[key_hash & (slots_.size() - 1)] <= read_version) return false;
  if (read_version < window_floor_) return true;
  return any_since(read_version, [&](const Write& write) { return write.key_hash == key_hash; });
}

bool ConflictDetector::range_written_since(const Range& range, Version read_version) const {
  if (read_version < window_floor_) return true;
  return any_since(read_version, [&](const Write& write) {
    return write.key >= range.begin && (range.end.empty() || write.key < range.end);
  });
}

bool ConflictDetector::conflicts(const ReadSet& reads, Version read_version) const {
  if (read_version >= last_version_) return false;
  for (const uint64_t key_hash : reads.key_hashes)
    if (key_written_since(key_hash, read_version)) return true;
  for (const Range& range : reads.ranges)
    if (range_written_since(range, read_version)) return true;
  return false;
}

void ConflictDetector::record(const WriteSet& writes, Version version) {
  CHECK(version > last_version_);
  last_version_ = version;
  for (const WriteSet::Entry& entry : writes) {
    slots_[entry.key_hash & (slots_.size() - 1)] = version;
    Write& write = window_[next_];
    if (filled_ == window_.size())
      window_floor_ = write.version;
    else
      ++filled_;
    write.version = version;
    write.key_hash = entry.key_hash;
    write.key.assign(writes.key(entry));
    next_ = next_ + 1 == window_.size() ? 0 : next_ + 1;
  }
}

}  // namespace firn::kv
