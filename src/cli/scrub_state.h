// How far the daily scrub is, and when the last one ended: kept in the metadata over restarts.
#pragma once

#include <string>

#include "base/status.h"
#include "base/time.h"
#include "io/task.h"
#include "kv/kv.h"

namespace firn::cli {

struct ScrubState {
  int64_t ended_seconds = 0;  // wall time; 0: there was none yet
  bool hot_done = false;      // of the pass under way
  std::string cursor;         // of Scrubber, where that pass goes on; empty: at its beginning
  friend bool operator==(const ScrubState&, const ScrubState&) = default;

  bool under_way() const { return hot_done || !cursor.empty(); }
  // How long to wait for the next pass: a pass under way goes on at once.
  int64_t due_in_ns(int64_t now_seconds, int64_t every_ns) const;
};

std::string encode_scrub_state(const ScrubState& state);
// Of bytes that no firn wrote: the beginning. What is lost by that is a pass that is repeated.
ScrubState decode_scrub_state(std::string_view bytes);

io::Task<Result<ScrubState>> load_scrub_state(kv::Engine& engine);
io::Task<Result<void>> save_scrub_state(kv::Engine& engine, ScrubState state);

}  // namespace firn::cli
