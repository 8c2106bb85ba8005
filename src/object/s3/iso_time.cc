#include "object/s3/iso_time.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace firn::object::s3 {

namespace {

// "Z", "", "+01:00", "-0130": seconds to the east.
std::optional<int64_t> parse_offset(const std::string& text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  int hours = 0, minutes = 0, used = 0;
  const bool colon = std::sscanf(text.c_str(), "%*1[+-]%2d:%2d%n", &hours, &minutes, &used) == 2;
  if (!colon && std::sscanf(text.c_str(), "%*1[+-]%2d%2d%n", &hours, &minutes, &used) != 2) return std::nullopt;
  if (static_cast<size_t>(used) != text.size() || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
    return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<int64_t> parse_iso_time(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) != 6)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  std::string rest = text.substr(static_cast<size_t>(used));
  if (rest.starts_with('.')) rest.erase(0, std::min(rest.find_first_not_of("0123456789", 1), rest.size()));
  const std::optional<int64_t> offset = parse_offset(rest);
  if (!offset) return std::nullopt;
  const std::chrono::sys_seconds time = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                                        std::chrono::minutes(minute) + std::chrono::seconds(second);
  return time.time_since_epoch().count() - *offset;
}

std::string iso_time(int64_t time_s) {
  const auto time = static_cast<time_t>(time_s);
  tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace firn::object::s3
