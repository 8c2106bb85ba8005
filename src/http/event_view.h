// What an event of the namespace looks like to somebody who sees one folder of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "meta/event.h"

namespace firn::http {

// An event, and what its places were called right after it; nullopt: nobody knows.
struct PlacedEvent {
  const meta::Event& event;
  std::optional<std::string> at, from;
};

// The JSON object of it (docs/http-api.md); nullopt: it does not concern `folder`, "/a/b", or "" for the whole volume.
// What crosses the folder's border appears, or disappears.
std::optional<std::string> show_event(const PlacedEvent& placed, std::string_view folder, std::string_view cursor);

}  // namespace firn::http
