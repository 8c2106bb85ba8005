#include "http/meta_change.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "http/base64.h"

namespace firn::http {
namespace {

using nlohmann::json;

// The years 1 to 9999: what everybody who is told can tell.
constexpr int64_t kFirstSecond = -62'135'596'800, kLastSecond = 253'402'300'799;

std::unexpected<Status> wrong(std::string_view member, std::string_view wanted) {
  return fail(Code::kInvalid, fmt::format("\"{}\" must be {}", member, wanted));
}

template <class Number>
std::optional<Number> number_of(std::string_view digits, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// "S" or "S.F" with at most nine digits: F goes forward in time from S, also before 1970.
std::optional<Timestamp> parse_time(std::string_view text) {
  constexpr size_t kDigits = 9;
  const size_t dot = std::min(text.find('.'), text.size());
  const auto seconds = number_of<int64_t>(text.substr(0, dot));
  if (!seconds || *seconds < kFirstSecond || *seconds > kLastSecond) return std::nullopt;
  if (dot == text.size()) return Timestamp{*seconds, 0};
  std::string fraction(text.substr(dot + 1));
  if (fraction.empty() || fraction.size() > kDigits) return std::nullopt;
  fraction.resize(kDigits, '0');
  const auto nanoseconds = number_of<uint32_t>(fraction);
  if (!nanoseconds) return std::nullopt;
  return Timestamp{*seconds, *nanoseconds};
}

struct TimeFields {
  std::optional<Timestamp>& time;
  bool& now;
};

Status take_time(const std::string& member, const json& value, TimeFields fields) {
  std::string text;
  if (value.is_string()) text = value.get<std::string>();
  if (value.is_number_integer()) text = value.dump();
  if (text == "now") {
    fields.now = true;
    return {};
  }
  fields.time = parse_time(text);
  if (fields.time) return {};
  return wrong(member, "seconds since 1970 in the years 1 to 9999, as text with up to nine decimals, or now").error();
}

Status take_id(const std::string& member, const json& value, std::optional<uint32_t>& id) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() >= UINT32_MAX)
    return wrong(member, "a number from 0 to 4294967294").error();
  id = value.get<uint32_t>();
  return {};
}

Status take_mode(const json& value, std::optional<uint32_t>& mode) {
  constexpr uint32_t kMost = 07777;
  mode = value.is_string() ? number_of<uint32_t>(value.get_ref<const std::string&>(), 8) : std::nullopt;
  if (!mode || *mode > kMost) return wrong("mode", "octal digits as text, at most \"7777\"").error();
  return {};
}

Status take_xattrs(const json& members, MetaChange& change) {
  if (!members.is_object()) return wrong("xattrs", "an object").error();
  for (const auto& [name, value] : members.items()) {
    if (name.empty() || name.size() > meta::kMaxXattrNameBytes || name.contains('\0'))
      return wrong("xattrs", fmt::format("names of 1 to {} bytes", meta::kMaxXattrNameBytes)).error();
    if (value.is_null()) {
      change.xattrs.emplace_back(name, std::nullopt);
      continue;
    }
    std::optional<std::string> bytes;
    if (value.is_string()) bytes = value.get<std::string>();
    if (value.is_object() && value.size() == 1 && value.contains("base64") && value.at("base64").is_string())
      bytes = from_base64(value.at("base64").get_ref<const std::string&>());
    if (!bytes) return wrong(name, "a text, {\"base64\": text}, or null").error();
    if (bytes->size() > meta::kMaxXattrValueBytes)
      return wrong(name, fmt::format("at most {} bytes", meta::kMaxXattrValueBytes)).error();
    change.xattrs.emplace_back(name, std::move(bytes));
  }
  return {};
}

Status take(const std::string& member, const json& value, MetaChange& change) {
  meta::SetAttr& to = change.attributes;
  if (member == "xattrs") return take_xattrs(value, change);
  change.sets_attributes = true;
  if (member == "mode") return take_mode(value, to.mode);
  if (member == "uid") return take_id(member, value, to.uid);
  if (member == "gid") return take_id(member, value, to.gid);
  if (member == "atime") return take_time(member, value, {to.atime, to.atime_now});
  if (member == "mtime") return take_time(member, value, {to.mtime, to.mtime_now});
  return Status(Code::kInvalid, fmt::format("there is no \"{}\" to be set; there are mode, uid, gid, atime, mtime and "
                                            "xattrs",
                                            member));
}

}  // namespace

Result<MetaChange> parse_meta_change(std::string_view text) {
  const json body = json::parse(text, nullptr, false);
  if (!body.is_object()) return fail(Code::kInvalid, "the body must be a JSON object");
  MetaChange change;
  for (const auto& [member, value] : body.items()) TRY(take(member, value, change));
  return change;
}

}  // namespace firn::http
