#include "http/ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace firn::http {
namespace {

std::optional<uint64_t> number(std::string_view digits) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || end != digits.data() + digits.size()) return std::nullopt;
  // More than any file has.
  return error == std::errc::result_out_of_range ? UINT64_MAX : value;
}

// "A-B", "A-" or "-N"; a count of 0: outside of the file. nullopt: none of them.
std::optional<ByteRange> parse_one(std::string_view text, uint64_t file_bytes) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    const uint64_t count = std::min(*last, file_bytes);
    return ByteRange{file_bytes - count, count};
  }
  if (!first || (!last && dash + 1 < text.size()) || (last && *last < *first)) return std::nullopt;
  if (*first >= file_bytes) return ByteRange{*first, 0};
  return ByteRange{*first, std::min(last.value_or(file_bytes - 1), file_bytes - 1) - *first + 1};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

void merge(std::vector<ByteRange>& ranges) {
  std::ranges::sort(ranges, {}, &ByteRange::first);
  std::vector<ByteRange> merged;
  for (const ByteRange& range : ranges) {
    const uint64_t end = range.first + range.count;
    if (merged.empty() || range.first > merged.back().first + merged.back().count + kMergedGapBytes)
      merged.push_back(range);
    else
      merged.back().count = std::max(merged.back().count, end - merged.back().first);
  }
  ranges = std::move(merged);
}

}  // namespace

RangesAsked parse_ranges(std::string_view header, uint64_t file_bytes) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return {};
  header.remove_prefix(kUnit.size());
  RangesAsked asked;
  size_t count = 0;
  while (!header.empty()) {
    const size_t comma = std::min(header.find(','), header.size());
    const std::string_view one = trim(header.substr(0, comma));
    header.remove_prefix(std::min(comma + 1, header.size()));
    if (one.empty()) continue;  // RFC 9110, 5.6.1.2
    const auto range = parse_one(one, file_bytes);
    if (!range || ++count > kMaxRanges) return {};
    if (range->count > 0) asked.ranges.push_back(*range);
  }
  if (count == 0) return {};
  merge(asked.ranges);
  asked.kind = asked.ranges.empty() ? RangesAsked::Kind::kUnsatisfiable : RangesAsked::Kind::kSome;
  return asked;
}

std::string content_range(const ByteRange& range, uint64_t file_bytes) {
  return fmt::format("bytes {}-{}/{}", range.first, range.first + range.count - 1, file_bytes);
}

}  // namespace firn::http
