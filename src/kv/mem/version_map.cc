#include "kv/mem/version_map.h"

#include <algorithm>

#include "kv/overlay_scan.h"

namespace firn::kv::mem {

const std::string* VersionMap::visible(const Row& row, Version version) {
  for (auto state = row.rbegin(); state != row.rend(); ++state)
    if (state->first <= version) return state->second ? &*state->second : nullptr;
  return nullptr;
}

const std::string* VersionMap::get(std::string_view key, Version version) const {
  const auto row = rows_.find(key);
  return row == rows_.end() ? nullptr : visible(row->second, version);
}

void VersionMap::set(std::string_view key, std::optional<std::string> value, Version version) {
  auto row = rows_.find(key);
  if (row == rows_.end()) {
    if (!value) return;
    row = rows_.emplace(std::string(key), Row()).first;
  }
  if (!row->second.empty() || !value) superseding_.emplace_back(version, std::string(key));
  row->second.emplace_back(version, std::move(value));
}

void VersionMap::collect(Version oldest) {
  for (; !superseding_.empty() && superseding_.front().first <= oldest; superseding_.pop_front()) {
    const auto row = rows_.find(superseding_.front().second);
    if (row == rows_.end()) continue;
    Row& states = row->second;
    auto kept = std::find_if(states.begin(), states.end(), [&](const auto& state) { return state.first > oldest; });
    if (kept != states.begin()) --kept;  // what a reader at `oldest` sees
    if (kept != states.end() && kept->first <= oldest && !kept->second) ++kept;
    states.erase(states.begin(), kept);
    if (states.empty()) rows_.erase(row);
  }
}

void VersionMap::rewind(Version version) {
  while (!superseding_.empty() && superseding_.back().first > version) superseding_.pop_back();
  for (auto row = rows_.begin(); row != rows_.end();) {
    Row& states = row->second;
    while (!states.empty() && states.back().first > version) states.pop_back();
    row = states.empty() ? rows_.erase(row) : std::next(row);
  }
}

VersionMap::Cursor::Cursor(const VersionMap& map, const Range& range, Version version)
    : map_(map), range_(range), version_(version), position_(map.rows_.lower_bound(range.begin)) {
  settle();
}

void VersionMap::Cursor::settle() {
  for (value_ = nullptr; position_ != map_.rows_.end() && before_end(position_->first, range_); ++position_) {
    value_ = visible(position_->second, version_);
    if (value_ != nullptr) return;
  }
}

}  // namespace firn::kv::mem
