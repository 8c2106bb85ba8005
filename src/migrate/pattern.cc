#include "migrate/pattern.h"

#include <algorithm>
#include <cstdint>

namespace firn::migrate {

namespace {

constexpr std::string_view kAnyNames = "**";

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> names;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (end > at) names.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

// "[...]" at the start of `pattern`: how long it is, 0 when it does not end.
struct Set {
  size_t length = 0;
  bool has = false;
};

Set match_set(std::string_view pattern, char c) {
  size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool has = false;
  const auto take = [&] {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    return static_cast<uint8_t>(pattern[at++]);
  };
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return {at + 1, has != negated};
    const uint8_t low = take();
    uint8_t high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = take();
    }
    has = has || (low <= static_cast<uint8_t>(c) && static_cast<uint8_t>(c) <= high);
  }
  return {};
}

// How many bytes of `pattern` (not empty, not at a star) match the byte `c`; 0: they do not.
size_t match_one(std::string_view pattern, char c) {
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    const Set set = match_set(pattern, c);
    if (set.length > 0) return set.has ? set.length : 0;
  }
  if (pattern[0] == '\\' && pattern.size() > 1) return pattern[1] == c ? 2 : 0;
  return pattern[0] == c ? 1 : 0;
}

// Only the last star is ever tried again: what an earlier one matched can stay.
bool match_name(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, from = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      from = n;
      continue;
    }
    const size_t matched = p < pattern.size() ? match_one(pattern.substr(p), name[n]) : 0;
    if (matched > 0) {
      p += matched;
      ++n;
    } else if (star == std::string_view::npos) {
      return false;
    } else {
      p = star;
      n = ++from;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool match_names(const std::vector<std::string>& patterns, const std::vector<std::string_view>& names) {
  size_t p = 0, n = 0, any = std::string::npos, from = 0;
  while (n < names.size()) {
    if (p < patterns.size() && patterns[p] == kAnyNames) {
      any = ++p;
      from = n;
    } else if (p < patterns.size() && match_name(patterns[p], names[n])) {
      ++p;
      ++n;
    } else if (any == std::string::npos) {
      return false;
    } else {
      p = any;
      n = ++from;
    }
  }
  return p == patterns.size();
}

}  // namespace

Pattern::Pattern(std::string_view text) {
  folders_only_ = text.ends_with('/');
  while (text.ends_with('/')) text.remove_suffix(1);
  if (!text.contains('/')) names_.emplace_back(kAnyNames);
  for (const std::string_view name : split(text)) names_.emplace_back(name);
}

bool Pattern::matches(std::string_view path, bool is_folder) const {
  return (is_folder || !folders_only_) && match_names(names_, split(path));
}

bool Selection::includes(std::string_view path, bool is_folder) const {
  return std::ranges::any_of(include, [&](const Pattern& one) { return one.matches(path, is_folder); });
}

Verdict Selection::verdict(std::string_view path, Matched what) const {
  const auto excluded = [&] {
    return std::ranges::any_of(exclude, [&](const Pattern& one) { return one.matches(path, what.is_folder); });
  };
  if (exclude.empty()) {
    const bool taken = include.empty() || what.is_folder || what.in_included_folder || includes(path, what.is_folder);
    return taken ? Verdict::kTake : Verdict::kLeave;
  }
  return excluded() && !includes(path, what.is_folder) ? Verdict::kLeave : Verdict::kTake;
}

}  // namespace firn::migrate
