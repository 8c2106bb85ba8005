#include "cli/event_settings.h"

namespace firn::cli {

void append_schema(EventSettings& s, config::Schema& schema) {
  constexpr int64_t kMost = 1'000'000'000;
  schema.push_back({"events.keep", config::Integer{&s.keep, 0, kMost},
                    "How many of the last changes of names, contents and attributes are remembered, for those who "
                    "follow them (firn events, GET /v1/events); about 100 bytes each on the disk, and an eighth more "
                    "before the oldest go. 0: none, and whoever followed must look at everything again."});
  schema.push_back({"events.streams", config::Integer{&s.streams, 1, 4096},
                    "Who may follow at once; each has a connection (http.connections)."});
}

}  // namespace firn::cli
