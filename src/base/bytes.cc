#include "base/bytes.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace firn {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array kSizeUnits = {Unit{"PiB", 1ULL << 50},
                                   Unit{"TiB", 1ULL << 40},
                                   Unit{"GiB", 1ULL << 30},
                                   Unit{"MiB", 1ULL << 20},
                                   Unit{"KiB", 1ULL << 10},
                                   Unit{"B", 1},
                                   Unit{"", 1},
                                   Unit{"kB", 1000},
                                   Unit{"MB", 1'000'000},
                                   Unit{"GB", 1'000'000'000},
                                   Unit{"TB", 1'000'000'000'000},
                                   Unit{"PB", 1'000'000'000'000'000}};
constexpr std::array kDurationUnits = {
    Unit{"h", 3'600'000'000'000}, Unit{"min", 60'000'000'000}, Unit{"s", 1'000'000'000},
    Unit{"ms", 1'000'000},        Unit{"us", 1'000},           Unit{"ns", 1}};

// A decimal number with an optional fraction, times its unit, exactly; nullopt-like failure otherwise.
Result<uint64_t> parse_quantity(std::string_view text, std::span<const Unit> units, std::string_view what) {
  auto invalid = [&] { return fail(Code::kInvalid, fmt::format("\"{}\" is not {}", text, what)); };
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string_view number = text.substr(0, digits);
  std::string_view unit = text.substr(digits);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  uint64_t factor = 0;
  for (const Unit& candidate : units)
    if (candidate.name == unit) factor = candidate.factor;
  if (factor == 0 || number.empty()) return invalid();

  const size_t point = std::min(number.find('.'), number.size());
  uint64_t whole = 0;
  auto [end, error] = std::from_chars(number.data(), number.data() + point, whole);
  if (error != std::errc() || end != number.data() + point) return invalid();
  uint64_t value = 0;
  if (__builtin_mul_overflow(whole, factor, &value)) return invalid();
  if (point == number.size()) return value;

  std::string_view fraction = number.substr(point + 1);
  uint64_t numerator = 0;
  auto [fraction_end, fraction_error] = std::from_chars(fraction.data(), fraction.data() + fraction.size(), numerator);
  if (fraction_error != std::errc() || fraction_end != fraction.data() + fraction.size() || fraction.size() > 9)
    return invalid();
  uint64_t denominator = 1;
  for (size_t i = 0; i < fraction.size(); ++i) denominator *= 10;
  const auto scaled = static_cast<unsigned __int128>(numerator) * factor;
  if (scaled % denominator != 0 && factor < 1024) return invalid();
  if (__builtin_add_overflow(value, static_cast<uint64_t>(scaled / denominator), &value)) return invalid();
  return value;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) { return parse_quantity(text, kSizeUnits, "a size such as 4MiB"); }

std::string format_size(uint64_t bytes) {
  if (bytes == 0) return "0B";
  for (const Unit& unit : kSizeUnits)
    if (bytes % unit.factor == 0) return fmt::format("{}{}", bytes / unit.factor, unit.name);
  return fmt::format("{}B", bytes);
}

std::string human_size(uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (unit.factor == 1) break;  // those after it are only read
    if (bytes < unit.factor) continue;
    const double value = static_cast<double>(bytes) / static_cast<double>(unit.factor);
    return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, unit.name);
  }
  return fmt::format("{} B", bytes);
}

Result<int64_t> parse_duration(std::string_view text) {
  if (text == "0") return 0;
  const uint64_t value = TRY(parse_quantity(text, kDurationUnits, "a duration such as 5ms"));
  if (value > static_cast<uint64_t>(INT64_MAX))
    return fail(Code::kInvalid, fmt::format("\"{}\" is too long a duration", text));
  return static_cast<int64_t>(value);
}

std::string format_duration(int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  for (const Unit& unit : kDurationUnits)
    if (nanoseconds % static_cast<int64_t>(unit.factor) == 0)
      return fmt::format("{}{}", nanoseconds / static_cast<int64_t>(unit.factor), unit.name);
  return fmt::format("{}ns", nanoseconds);
}

}  // namespace firn
