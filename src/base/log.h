// The process's log: one line per event, as text or JSON, to a rotating file or stderr.
// Thread-safe. Writing blocks for a write(2) into the page cache: log events, not requests.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn::log {

enum class Level : uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error" or "off".
Result<Level> parse_level(std::string_view name);
std::string_view level_name(Level level);

struct Options {
  std::string path;  // empty: stderr
  Level level = Level::kInfo;
  bool json = false;                 // one object per line: time, level, thread, message
  uint64_t rotate_bytes = 16 << 20;  // PATH becomes PATH.1 and so on at this size
  uint32_t rotated_files = 3;
};

// Before it: warnings and errors go to stderr. May be called again (the daemon does, after it forked).
Status open(const Options& options);
// Writes out what is buffered. Lines of level warning and above never wait.
void flush();

bool enabled(Level level);
void set_level(Level level);
// `message`: one line; line breaks inside it are escaped in both forms, so that nobody can forge an event.
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kDebug)) write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kInfo)) write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kWarning)) write(Level::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::kError)) write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace firn::log
