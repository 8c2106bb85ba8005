#include "cli/date_text.h"

#include <array>
#include <cstdlib>
#include <ctime>

namespace firn::cli {

std::string date_text(int64_t seconds, const std::string& format) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 128> text{};
  if (!localtime_r(&time, &parts)) return std::to_string(seconds);
  const size_t bytes = std::strftime(text.data(), text.size(), format.c_str(), &parts);
  return bytes == 0 ? std::to_string(seconds) : std::string(text.data(), bytes);
}

std::string date_text(const std::string& seconds, const std::string& format) {
  return date_text(static_cast<int64_t>(std::strtoll(seconds.c_str(), nullptr, 10)), format);
}

}  // namespace firn::cli
