#include "http/event_cursor.h"

#include <fmt/format.h>

#include <charconv>

namespace firn::http {

namespace {

bool read_number(std::string_view text, int base, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string EventCursor::text() const { return fmt::format("{:016x}-{}", log, sequence); }

Result<EventCursor> EventCursor::parse(std::string_view text) {
  constexpr size_t kLogDigits = 16;
  EventCursor cursor;
  if (text.size() > kLogDigits + 1 && text[kLogDigits] == '-' &&
      read_number(text.substr(0, kLogDigits), 16, cursor.log) &&
      read_number(text.substr(kLogDigits + 1), 10, cursor.sequence) && cursor.sequence < UINT64_MAX)
    return cursor;
  return fail(Code::kInvalid, "that is no cursor: they are the \"id\" of events, such as 0123456789abcdef-42");
}

}  // namespace firn::http
