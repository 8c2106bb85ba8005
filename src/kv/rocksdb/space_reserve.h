// SpaceReserve: a file that keeps some of the disk for the database, for when others have filled the rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace firn::kv::rocks {

// Without it a full disk could not even be told that a file is removed. Thread-safe; blocks.
class SpaceReserve {
 public:
  // Of so many bytes, and less on a small disk; in `folder`, which outlives the process, as the file does.
  SpaceReserve(const std::string& folder, uint64_t most_bytes);

  // Whether it is there, or could be made: that takes as much room again, so that it is not taken from who has just
  // freed some. At most once a second it is tried.
  bool keep();
  // Its room is anybody's. False: it was not there.
  bool give_up();

 private:
  bool make();

  const std::string path_;
  const uint64_t bytes_;
  std::mutex mutex_;  // guards the file, and what follows but `kept_`
  std::atomic<bool> kept_ = false;
  bool impossible_ = false;  // on this file system
  int64_t tried_ns_ = 0;
};

}  // namespace firn::kv::rocks
