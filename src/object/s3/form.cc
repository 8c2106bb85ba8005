#include "object/s3/form.h"

#include <string_view>

namespace firn::object::s3 {

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& fields) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string form;
  const auto append = [&](std::string_view text) {
    for (const char c : text) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                         std::string_view("-_.~").find(c) != std::string_view::npos;
      const auto byte = static_cast<unsigned char>(c);
      if (plain)
        form += c;
      else
        form += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  };
  for (const auto& [name, value] : fields) {
    if (!form.empty()) form += '&';
    append(name);
    form += '=';
    append(value);
  }
  return form;
}

}  // namespace firn::object::s3
