// Where to remember the last insertion into a memtable, so that neighbours are inserted without a search.
#pragma once

#include <rocksdb/slice_transform.h>

#include <algorithm>

namespace firn::kv::rocks {

// Keys that start alike and differ in their last 8 bytes (a row of ids), or that share their first 9 (one byte of kind
// and an id, then names), are inserted near each other.
//
// A key of one byte has no hint. The library keeps the tombstones of ranges in a table of their own, but would use the
// hints of the other one for it if a range's first key had any.
class InsertHintPrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "firn.InsertHintPrefix"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), std::min(kLongest, key.size() > kTail ? key.size() - kTail : size_t{1})};
  }
  bool InDomain(const rocksdb::Slice& key) const override { return key.size() > 1; }

 private:
  static constexpr size_t kTail = 8;
  static constexpr size_t kLongest = 9;
};

}  // namespace firn::kv::rocks
