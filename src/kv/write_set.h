// kv::WriteSet: what a transaction is going to write, sorted, so that its own reads can see it.
// Made for a handful of writes: one buffer for all bytes, entries in a sorted array.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kv/kv.h"
#include "kv/small_vector.h"

namespace firn::kv {

class WriteSet {
 public:
  enum class Kind : uint8_t {
    kNone,  // nothing but an addition to what is stored
    kPut,
    kErase,
  };

  struct Entry {
    uint64_t key_hash;
    uint32_t key_offset;
    uint32_t key_bytes;
    uint32_t value_offset;
    uint32_t value_bytes;
    int64_t delta;  // added at commit to the integer that `kind` leaves; wraps around
    Kind kind;
    bool added;
  };

  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  void add(std::string_view key, int64_t delta);

  bool empty() const { return entries_.empty(); }
  // A key, a value or the whole was beyond the limits of kv.h: the transaction must fail with kInvalid.
  bool too_large() const { return too_large_; }

  // Null when `key` is not written here.
  const Entry* find(std::string_view key) const;
  // The first entry whose key is >= `key`.
  const Entry* lower_bound(std::string_view key) const;
  const Entry* begin() const { return entries_.begin(); }
  const Entry* end() const { return entries_.end(); }
  size_t size() const { return entries_.size(); }

  std::string_view key(const Entry& entry) const { return {bytes_.data() + entry.key_offset, entry.key_bytes}; }
  std::string_view value(const Entry& entry) const { return {bytes_.data() + entry.value_offset, entry.value_bytes}; }

 private:
  Entry* find_or_insert(std::string_view key);
  uint32_t append(std::string_view bytes);

  static constexpr size_t kUsualEntries = 8;
  static constexpr size_t kUsualBytes = 1000;

  SmallVector<Entry, kUsualEntries> entries_;  // by key
  std::string bytes_;
  bool too_large_ = false;
};

}  // namespace firn::kv
