// cli::ServerEvents: reads server-sent events (WHATWG HTML, section server-sent events) out of a stream of bytes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn::cli {

class ServerEvents {
 public:
  struct Event {
    std::string type;  // empty: none was named
    std::string data;
  };
  // `dispatch` gets each event that has data; its failure ends the reading.
  explicit ServerEvents(std::function<Status(const Event&)> dispatch) : dispatch_(std::move(dispatch)) {}

  Status feed(std::string_view bytes);
  // Forgets half an event, whose rest will not come.
  void restart();
  // What to go on from after a new connection; empty: nothing was told yet.
  const std::string& last_id() const { return last_id_; }

 private:
  Status take(std::string_view line);

  const std::function<Status(const Event&)> dispatch_;
  std::string pending_;
  Event event_;
  std::string id_, last_id_;
};

}  // namespace firn::cli
