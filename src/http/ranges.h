// Which bytes of a file a Range header asks for (RFC 9110, 14).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firn::http {

struct ByteRange {
  uint64_t first = 0;
  uint64_t count = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// A header with more ranges is not heeded.
inline constexpr size_t kMaxRanges = 64;

struct RangesAsked {
  enum class Kind : uint8_t {
    kNone,           // all of the file: no such header, or one that may be passed over
    kUnsatisfiable,  // 416
    kSome,
  };
  Kind kind = Kind::kNone;
  // Ascending, at least kMergedGapBytes apart: what overlaps, or lies closer than what a part costs, is one range.
  std::vector<ByteRange> ranges = {};
};
inline constexpr uint64_t kMergedGapBytes = 128;

RangesAsked parse_ranges(std::string_view header, uint64_t file_bytes);

// "bytes 0-4/10".
std::string content_range(const ByteRange& range, uint64_t file_bytes);

}  // namespace firn::http
