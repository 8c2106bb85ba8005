// Merges what is stored with a transaction's own writes.
#pragma once

#include <string_view>
#include <vector>

#include "kv/kv.h"
#include "kv/write_set.h"

namespace firn::kv {

inline bool before_end(std::string_view key, const Range& range) { return range.end.empty() || key < range.end; }

// `Cursor` stands at the first stored key >= range.begin: valid() (false at range.end too), key(), value(), next().
template <class Cursor>
std::vector<Pair> overlay_scan(const WriteSet& writes, const Range& range, size_t limit, Cursor& cursor) {
  std::vector<Pair> pairs;
  const WriteSet::Entry* own = writes.lower_bound(range.begin);
  while (pairs.size() < limit) {
    while (own != writes.end() && own->kind == WriteSet::Kind::kNone) ++own;
    const bool has_own = own != writes.end() && before_end(writes.key(*own), range);
    if (!has_own && !cursor.valid()) break;
    if (!has_own || (cursor.valid() && cursor.key() < writes.key(*own))) {
      pairs.push_back({std::string(cursor.key()), std::string(cursor.value())});
      cursor.next();
      continue;
    }
    if (cursor.valid() && cursor.key() == writes.key(*own)) cursor.next();
    if (own->kind == WriteSet::Kind::kPut)
      pairs.push_back({std::string(writes.key(*own)), std::string(writes.value(*own))});
    ++own;
  }
  return pairs;
}

// The part of `range` that a scan which found `pairs` has seen.
inline Range covered_range(Range range, size_t limit, const std::vector<Pair>& pairs) {
  if (pairs.size() == limit && !pairs.empty()) {
    range.end = pairs.back().key;
    range.end.push_back('\0');
  }
  return range;
}

}  // namespace firn::kv
