#include "http/validators.h"

#include <fmt/format.h>

#include <ctime>

namespace firn::http {
namespace {

// The seconds that std::tm and four digits can tell.
constexpr int64_t kFirstSecond = -62'135'596'800, kLastSecond = 253'402'300'799;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The values of all headers of that name, joined as RFC 9110 5.3 allows.
std::optional<std::string> joined(const Request& request, std::string_view lower_name) {
  std::optional<std::string> all;
  for (const auto& [name, value] : request.headers) {
    if (name != lower_name) continue;
    if (all) all->append(",");
    all = all.value_or("") + value;
  }
  return all;
}

enum class Comparison : uint8_t { kStrong, kWeak };

// Whether `list` ("*", or tags with commas between them) has `tag`. A tag may have commas in it.
bool lists(std::string_view list, const std::string& tag, Comparison comparison) {
  while (!(list = trim(list)).empty()) {
    if (list.front() == ',') {
      list.remove_prefix(1);
      continue;
    }
    const bool weak = list.starts_with("W/");
    if (weak) list.remove_prefix(2);
    const size_t end = list.starts_with('"') ? list.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return false;  // no list of tags
    if (list.substr(0, end + 1) == tag && (comparison == Comparison::kWeak || !weak)) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

bool matches(std::string_view list, const std::optional<meta::Attr>& current, Comparison comparison) {
  if (!current) return false;
  return trim(list) == "*" || lists(list, etag_of(*current), comparison);
}

// Dates have no fractions: a file is not newer than the second that it was last modified in.
bool modified_since(const meta::Attr& attr, int64_t seconds) { return attr.mtime.seconds > seconds; }

bool only_reads(const Request& request) { return request.method == "GET" || request.method == "HEAD"; }

}  // namespace

std::string etag_of(const meta::Attr& attr) {
  return fmt::format("\"{:x}-{:x}-{:x}.{:x}-{:x}.{:x}\"", attr.inode.value, attr.size, attr.mtime.seconds,
                     attr.mtime.nanoseconds, attr.ctime.seconds, attr.ctime.nanoseconds);
}

Headers validator_headers(const meta::Attr& attr, bool settled) {
  Headers headers;
  if (settled) headers.emplace_back("ETag", etag_of(attr));
  if (std::string date = http_date(attr.mtime.seconds); !date.empty())
    headers.emplace_back("Last-Modified", std::move(date));
  return headers;
}

std::string http_date(int64_t seconds) {
  if (seconds < kFirstSecond || seconds > kLastSecond) return "";
  constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = seconds;
  std::tm parts{};
  if (!gmtime_r(&time, &parts)) return "";
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                     kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::optional<int64_t> parse_http_date(std::string_view text) {
  const std::string date(trim(text));
  for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* end = strptime(date.c_str(), form, &parts);
    if (end && *end == '\0') return timegm(&parts);
  }
  return std::nullopt;
}

bool has_conditions(const Request& request) {
  for (const char* name : {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
    if (request.header(name)) return true;
  return false;
}

Verdict check_conditions(const Request& request, const std::optional<meta::Attr>& current) {
  if (const auto tags = joined(request, "if-match")) {
    if (!matches(*tags, current, Comparison::kStrong)) return Verdict::kFailed;
  } else if (const auto date = request.header("if-unmodified-since")) {
    const auto since = parse_http_date(*date);
    if (since && (!current || modified_since(*current, *since))) return Verdict::kFailed;
  }
  if (const auto tags = joined(request, "if-none-match")) {
    if (!matches(*tags, current, Comparison::kWeak)) return Verdict::kProceed;
    return only_reads(request) ? Verdict::kNotModified : Verdict::kFailed;
  }
  const auto date = request.header("if-modified-since");
  if (!date || !only_reads(request) || !current) return Verdict::kProceed;
  const auto since = parse_http_date(*date);
  return since && !modified_since(*current, *since) ? Verdict::kNotModified : Verdict::kProceed;
}

bool range_applies(const Request& request, const meta::Attr& attr, bool settled, Timestamp now) {
  const auto value = request.header("if-range");
  if (!value) return true;
  const std::string_view version = trim(*value);
  if (version.starts_with('"')) return settled && version == etag_of(attr);
  // A date is as good as a tag only when the second that it names is over (RFC 9110, 8.8.2.2).
  const auto date = parse_http_date(version);
  return date && *date == attr.mtime.seconds && now.seconds > *date;
}

}  // namespace firn::http
