// http::EventCursor: where in a log of events somebody is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn::http {

// "0123456789abcdef-42": the log's id in hexadecimal, and the number of the last event that was seen, which was
// durable.
struct EventCursor {
  uint64_t log = 0;
  uint64_t sequence = 0;

  std::string text() const;
  // kInvalid: it is none.
  static Result<EventCursor> parse(std::string_view text);
  friend bool operator==(const EventCursor&, const EventCursor&) = default;
};

}  // namespace firn::http
