#include "data/hot/layout.h"

namespace firn::data::internal {
namespace {
constexpr std::string_view kDigits = "0123456789abcdef";
}

std::string hex16(uint64_t value) {
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4) text[i] = kDigits[value & 15];
  return text;
}

std::optional<uint64_t> parse_hex16(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

std::string folder_path(const std::string& root, unsigned folder) {
  std::string path;
  path.reserve(root.size() + 20);
  path += root;
  path += '/';
  path += kDigits[folder >> 4 & 15];
  path += kDigits[folder & 15];
  return path;
}

std::string backing_path(const std::string& root, BackingId id) {
  std::string path = folder_path(root, folder_of(id));
  path += '/';
  path += hex16(id.value);
  return path;
}

std::optional<BackingId> parse_backing_name(unsigned folder, std::string_view name) {
  auto value = parse_hex16(name);
  if (!value || *value == 0) return std::nullopt;
  BackingId id(*value);
  if (folder_of(id) != folder) return std::nullopt;
  return id;
}

}  // namespace firn::data::internal
