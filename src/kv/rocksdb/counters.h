// The current totals of the keys that Transaction::add() added to, so that a commit need not read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kv/write_set.h"

namespace firn::kv::rocks {

// Used under the commit mutex. A cache: forgetting is always right, and it forgets all when it is full.
class Counters {
 public:
  std::optional<int64_t> find(const WriteSet::Entry& entry, std::string_view key) const {
    const auto found = totals_.find(entry.key_hash);
    if (found == totals_.end() || found->second.key != key) return std::nullopt;
    return found->second.total;
  }
  void set(const WriteSet::Entry& entry, std::string_view key, int64_t total) {
    if (totals_.size() >= kMaxKeys) totals_.clear();
    Total& slot = totals_[entry.key_hash];
    if (slot.key != key) slot.key = key;
    slot.total = total;
  }
  void forget(const WriteSet::Entry& entry) {
    if (!totals_.empty()) totals_.erase(entry.key_hash);
  }
  void clear() { totals_.clear(); }

 private:
  static constexpr size_t kMaxKeys = size_t{1} << 16;
  struct Total {
    std::string key;
    int64_t total = 0;
  };
  struct Identity {
    size_t operator()(uint64_t hash) const { return hash; }
  };
  std::unordered_map<uint64_t, Total, Identity> totals_;
};

}  // namespace firn::kv::rocks
