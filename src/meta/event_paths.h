// meta::EventPaths: what the places of logged events were called when the events happened.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "meta/event_log.h"

namespace firn::meta {

// An event names a directory by its number. Where that was at the time is where it is now, with what the log says of
// its later moves and removal undone. Whatever it answers is of the state that the transaction reads. One coroutine at
// a time.
class EventPaths {
 public:
  explicit EventPaths(EventLog& log) : log_(log) {}

  // Learns what the log has got since; before other calls with this transaction, which must be new. Reads all of the
  // log the first time.
  io::Task<Result<void>> catch_up(kv::Transaction& transaction);

  // "/a/b" as it was right after event `sequence`; the root is "/". nullopt: nobody knows a name.
  io::Task<Result<std::optional<std::string>>> path_of(kv::Transaction& transaction, const EventPlace& place,
                                                       uint64_t sequence);

 private:
  void learn(const LoggedEvent& logged);
  io::Task<Result<std::optional<std::string>>> directory_path(kv::Transaction& transaction, InodeId directory,
                                                              uint64_t sequence);
  io::Task<Result<EventPlace>> place_of(kv::Transaction& transaction, InodeId directory, uint64_t sequence);
  io::Task<Result<EventPlace>> place_now(kv::Transaction& transaction, InodeId directory);

  EventLog& log_;
  uint64_t known_ = 0;                                          // no event up to this one is still to be learnt
  std::set<std::pair<InodeId, uint64_t>> moves_;                // of directories, removals too; and the events
  std::set<uint64_t> sequences_;                                // of these events
  std::unordered_map<InodeId, std::optional<std::string>> at_;  // paths right after event at_sequence_
  uint64_t at_sequence_ = 0;
};

}  // namespace firn::meta
