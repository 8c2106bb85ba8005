// Times as commands show them.
#pragma once

#include <cstdint>
#include <string>

namespace firn::cli {

// `seconds` since 1970 in the local time zone, as strftime(3) takes `format`. A file's time may be one whose year no
// calendar has: then the number itself.
std::string date_text(int64_t seconds, const std::string& format);
// The same of seconds as the daemon writes them, with or without a fraction; what is no number counts as 0.
std::string date_text(const std::string& seconds, const std::string& format);

}  // namespace firn::cli
