// Base64 (RFC 4648).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace firn::http {

std::string to_base64(std::string_view bytes);
// nullopt: it is not base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

// The same in the alphabet of URLs, without padding.
std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace firn::http
