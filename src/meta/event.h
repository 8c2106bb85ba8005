// A change of the namespace, as the log of events keeps it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/time.h"
#include "meta/types.h"

namespace firn::meta {

enum class EventKind : uint8_t {
  kCreated = 1,
  kRemoved = 2,     // a name; other names may be left
  kRenamed = 3,     // `at` was `from`; what it replaced is `other`
  kExchanged = 4,   // `at` was `from`, and `other` the other way round
  kLinked = 5,      // one more name
  kContent = 6,     // size or bytes of a regular file
  kAttributes = 7,  // mode, owner, times, flags
  kXattr = 8,
  kPolicy = 9,
};

// A name in a directory. The root is an empty name in itself; a parent of 0: no name is known.
template <class Text>
struct EventPlaceOf {
  InodeId parent;
  Text name;
  friend bool operator==(const EventPlaceOf&, const EventPlaceOf&) = default;
};

// Text: std::string, or std::string_view while it is being made.
template <class Text>
struct EventOf {
  EventKind kind = EventKind::kCreated;
  InodeId inode;
  FileType type = FileType::kRegular;
  uint32_t nlink = 0;  // these three as they were after the change
  uint64_t size = 0;
  Timestamp time;
  std::optional<uint32_t> uid;  // who did it, where anybody knows
  EventPlaceOf<Text> at;        // the name that the event is about: kRemoved where it was, otherwise where it is
  EventPlaceOf<Text> from;      // kRenamed, kExchanged
  InodeId other;                // what a rename replaced or exchanged; 0: nothing
  FileType other_type = FileType::kRegular;
  uint32_t other_nlink = 0;
  Text xattr;           // kXattr: its name
  RequestId request{};  // that it was done for, where a door may be asked again after a crash
  friend bool operator==(const EventOf&, const EventOf&) = default;
};

using EventPlace = EventPlaceOf<std::string>;
using Event = EventOf<std::string>;
using EventDraft = EventOf<std::string_view>;

// Valid until the next call on this thread.
std::string_view encode_event(const EventDraft& event);
// Accepts any bytes; what no firn wrote is kCorrupt.
Result<Event> decode_event(std::string_view bytes);

}  // namespace firn::meta
