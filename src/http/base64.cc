#include "http/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>

namespace firn::http {
namespace {

constexpr size_t kGroup = 4;

const unsigned char* raw(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// OpenSSL passes over blanks and line ends.
bool is_in_alphabet(std::string_view digits) {
  return std::ranges::all_of(digits, [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '/'; });
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * kGroup + 1, '\0');  // OpenSSL ends it with a NUL
  const int length = EVP_EncodeBlock(raw(text), raw(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty()) return "";
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % kGroup != 0 || text.size() > INT32_MAX || !is_in_alphabet(text.substr(0, text.size() - padding)))
    return std::nullopt;
  std::string bytes(text.size() / kGroup * 3, '\0');
  const int length = EVP_DecodeBlock(raw(bytes), raw(text), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  bytes.resize(static_cast<size_t>(length) - padding);
  return bytes;
}

std::string to_base64url(std::string_view bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string plain(text);
  if (plain.find_first_of("+/=") != std::string::npos) return std::nullopt;
  std::ranges::replace(plain, '-', '+');
  std::ranges::replace(plain, '_', '/');
  plain.append((kGroup - plain.size() % kGroup) % kGroup, '=');
  return from_base64(plain);
}

}  // namespace firn::http
