#include "discovery/service.h"

#include <algorithm>
#include <cctype>

namespace firn::discovery {
namespace {

constexpr size_t kMaxEntryBytes = 255;
constexpr size_t kMaxVersionBytes = 64;
constexpr std::string_view kName = "name", kId = "id", kVersion = "version", kTls = "tls";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Bytes of the character of UTF-8 that `text` begins with; 0: none does. Longer forms than needed and surrogates are
// none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool refused = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0);
    return follows(1) && follows(2) && !refused ? 3 : 0;
  }
  const bool refused =
      first < 0xf0 || first > 0xf4 || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return follows(1) && follows(2) && follows(3) && !refused ? 4 : 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

// Controls that are two bytes of UTF-8 (U+0080 to U+009F); some terminals obey them.
bool has_wide_controls(std::string_view text) {
  for (size_t at = text.find('\xc2'); at != std::string_view::npos; at = text.find('\xc2', at + 1))
    if (at + 1 < text.size() && (static_cast<unsigned char>(text[at + 1]) & 0xe0) == 0x80) return true;
  return false;
}

bool is_text(std::string_view text) {
  return std::ranges::none_of(text, is_control) && !has_wide_controls(text) && is_utf8(text);
}

bool is_id(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == kIdDigits && std::ranges::all_of(text, digit);
}

bool same_key(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Of several entries with one key, the first counts.
std::optional<std::string_view> value_of(const std::vector<std::string>& entries, std::string_view key) {
  for (const std::string_view entry : entries) {
    const size_t equals = std::min(entry.find('='), entry.size());
    if (same_key(entry.substr(0, equals), key)) return entry.substr(std::min(equals + 1, entry.size()));
  }
  return std::nullopt;
}

}  // namespace

std::string printable(std::string_view text, size_t most) {
  // No character is cut through: what follows it does not begin with 10 in its bits.
  while (most > 0 && most < text.size() && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  std::string out(text.substr(0, most));
  std::ranges::replace_if(out, is_control, '?');
  if (!is_text(out)) std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return out;
}

std::vector<std::string> to_txt(const Service& service) {
  const auto entry = [](std::string_view key, std::string_view value) {
    return std::string(key) + "=" + printable(value, kMaxEntryBytes - key.size() - 1);
  };
  return {entry(kName, service.name), entry(kId, service.id), entry(kVersion, service.version),
          entry(kTls, service.tls ? "1" : "0")};
}

std::optional<Service> from_txt(const std::vector<std::string>& entries) {
  const auto name = value_of(entries, kName), id = value_of(entries, kId);
  if (!name || name->empty() || name->size() > kMaxEntryBytes || !is_text(*name)) return std::nullopt;
  if (!id || !is_id(*id)) return std::nullopt;
  return Service{.name = std::string(*name),
                 .id = std::string(*id),
                 .version = printable(value_of(entries, kVersion).value_or(""), kMaxVersionBytes),
                 .tls = value_of(entries, kTls) == "1"};
}

}  // namespace firn::discovery
