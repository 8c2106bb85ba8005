#include "kv/write_set.h"

#include <algorithm>

#include "kv/key_hash.h"

namespace firn::kv {

const WriteSet::Entry* WriteSet::lower_bound(std::string_view wanted) const {
  return std::lower_bound(entries_.begin(), entries_.end(), wanted,
                          [this](const Entry& entry, std::string_view k) { return key(entry) < k; });
}

const WriteSet::Entry* WriteSet::find(std::string_view wanted) const {
  if (entries_.empty()) return nullptr;
  const Entry* entry = lower_bound(wanted);
  return entry != entries_.end() && key(*entry) == wanted ? entry : nullptr;
}

uint32_t WriteSet::append(std::string_view bytes) {
  if (bytes_.capacity() < kUsualBytes) bytes_.reserve(kUsualBytes);
  const auto offset = static_cast<uint32_t>(bytes_.size());
  bytes_.append(bytes);
  return offset;
}

WriteSet::Entry* WriteSet::find_or_insert(std::string_view wanted) {
  if (wanted.size() > kMaxKeyBytes || bytes_.size() + wanted.size() > kMaxTransactionBytes) {
    too_large_ = true;
    return nullptr;
  }
  const auto index = static_cast<size_t>(lower_bound(wanted) - entries_.begin());
  if (index < entries_.size() && key(entries_[index]) == wanted) return &entries_[index];
  entries_.insert(index, Entry{.key_hash = hash_key(wanted),
                               .key_offset = append(wanted),
                               .key_bytes = static_cast<uint32_t>(wanted.size()),
                               .kind = Kind::kNone});
  return &entries_[index];
}

void WriteSet::put(std::string_view wanted, std::string_view bytes) {
  if (bytes.size() > kMaxValueBytes || bytes_.size() + bytes.size() > kMaxTransactionBytes) {
    too_large_ = true;
    return;
  }
  Entry* entry = find_or_insert(wanted);
  if (entry == nullptr) return;
  entry->kind = Kind::kPut;
  entry->added = false;
  entry->delta = 0;
  entry->value_offset = append(bytes);
  entry->value_bytes = static_cast<uint32_t>(bytes.size());
}

void WriteSet::erase(std::string_view wanted) {
  Entry* entry = find_or_insert(wanted);
  if (entry == nullptr) return;
  entry->kind = Kind::kErase;
  entry->added = false;
  entry->delta = 0;
}

void WriteSet::add(std::string_view wanted, int64_t delta) {
  Entry* entry = find_or_insert(wanted);
  if (entry == nullptr) return;
  entry->delta = static_cast<int64_t>(static_cast<uint64_t>(entry->delta) + static_cast<uint64_t>(delta));
  entry->added = true;
}

}  // namespace firn::kv
