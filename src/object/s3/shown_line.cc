#include "object/s3/shown_line.h"

#include <algorithm>
#include <string_view>

namespace firn::object::s3 {

namespace {

constexpr size_t kMaxShownBytes = 200;
constexpr size_t kLeastSecretBytes = 4;  // shorter ones are words
constexpr std::string_view kRemoved = "(removed)";

}  // namespace

std::string shown_line(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets)
    if (secret.size() >= kLeastSecretBytes)
      for (size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += kRemoved.size())
        text.replace(at, secret.size(), kRemoved);
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  std::string line = text.substr(begin, std::min(text.find_first_of("\r\n", begin), text.size()) - begin);
  line.resize(std::min(line.size(), kMaxShownBytes));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  return line;
}

}  // namespace firn::object::s3
