// Times as AWS writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace firn::object::s3 {

// "2026-01-02T03:04:05Z", also with a fraction, which is passed over, and an offset such as +01:00 (none: UTC), in
// seconds since 1970; nullopt for anything else. Source: ISO 8601, RFC 3339.
std::optional<int64_t> parse_iso_time(const std::string& text);

// "2026-01-02T03:04:05Z".
std::string iso_time(int64_t time_s);

}  // namespace firn::object::s3
