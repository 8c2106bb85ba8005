#include "kv/rocksdb/library_log.h"

#include <cstdarg>
#include <cstdio>

namespace firn::kv::rocks {

void LibraryLog::Logv(const char* format, va_list arguments) {
  char line[1024];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  if (length <= 0) return;
  const std::string_view text(line, std::min(static_cast<size_t>(length), sizeof line - 1));
  if (text.find("dropping") != std::string_view::npos || text.find("orrupt") != std::string_view::npos) {
    std::lock_guard lock(damage_mutex_);
    if (damage_.empty()) damage_ = text;
  }
  if (sink_) sink_(text);
}

std::string LibraryLog::damage() const {
  std::lock_guard lock(damage_mutex_);
  return damage_;
}

}  // namespace firn::kv::rocks
