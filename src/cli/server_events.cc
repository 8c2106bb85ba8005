#include "cli/server_events.h"

#include <utility>

namespace firn::cli {

Status ServerEvents::feed(std::string_view bytes) {
  pending_.append(bytes);
  size_t begin = 0;
  for (size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    std::string_view line = std::string_view(pending_).substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    TRY(take(line));
  }
  pending_.erase(0, begin);
  return {};
}

void ServerEvents::restart() {
  pending_.clear();
  event_ = {};
  id_ = last_id_;
}

Status ServerEvents::take(std::string_view line) {
  if (line.empty()) {
    last_id_ = id_;
    Event event = std::exchange(event_, {});
    if (event.data.empty()) return {};
    event.data.pop_back();  // the last line's break
    return dispatch_(event);
  }
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") event_.data.append(value).append("\n");
  if (field == "event") event_.type = value;
  if (field == "id" && !value.contains('\0')) id_ = value;
  return {};
}

}  // namespace firn::cli
