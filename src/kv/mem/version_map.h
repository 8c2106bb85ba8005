// The versions of every key, and which of them somebody can still see.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kv/kv.h"

namespace firn::kv::mem {

// Not thread-safe.
// Invariant: a key's versions ascend; an erased state is a nullopt; no key has an empty row.
class VersionMap {
 public:
  // The value of `key` as of `version`; null when it has none.
  const std::string* get(std::string_view key, Version version) const;

  // `version` is not older than any set before.
  void set(std::string_view key, std::optional<std::string> value, Version version);

  // Drops states that nobody sees who reads at `oldest` or later.
  void collect(Version oldest);
  // Drops every state newer than `version`.
  void rewind(Version version);

  // Walks the keys that have a value as of a version. Invalidated by every change of the map.
  class Cursor {
   public:
    Cursor(const VersionMap& map, const Range& range, Version version);
    bool valid() const { return value_ != nullptr; }
    std::string_view key() const { return position_->first; }
    std::string_view value() const { return *value_; }
    void next() {
      ++position_;
      settle();
    }

   private:
    void settle();

    const VersionMap& map_;
    const Range& range_;
    Version version_;
    std::map<std::string, std::vector<std::pair<Version, std::optional<std::string>>>, std::less<>>::const_iterator
        position_;
    const std::string* value_ = nullptr;
  };

 private:
  using Row = std::vector<std::pair<Version, std::optional<std::string>>>;

  static const std::string* visible(const Row& row, Version version);

  std::map<std::string, Row, std::less<>> rows_;
  std::deque<std::pair<Version, std::string>> superseding_;  // writes that may leave garbage behind, by version
};

}  // namespace firn::kv::mem
