// Settings of LocalService.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace firn::meta {

class EventLog;

struct Options {
  Clock* clock = &system_clock();  // outlives the service
  // This process is the only writer of the engine: allows the caches. Two services on one engine must not both claim
  // it.
  bool exclusive_owner = true;
  size_t inode_cache_entries = 128 << 10;   // about 250 bytes each, taken at the start
  size_t dirent_cache_entries = 128 << 10;  // about 70 bytes each, and names over 15 bytes
  // begin_session()'s; stamps unsettled content that comes without one.
  uint64_t boot_session = 0;
  // Of this volume's folder of backings: records that were made with another one, which a bucket brought back, refer to
  // backings that are not here.
  uint64_t hot_id = 0;
  // Is told of every change; must outlive the service. Null: nobody keeps a log.
  EventLog* events = nullptr;
  // Colder tiers are to have what is settled: changes are listed as pending.
  bool tiered = false;
  // What is durable is in the log and in colder tiers, and backings are a cache: inline content that settles goes on
  // being the durable version, in the file's journal, until another one is.
  bool journals_inline = false;
};

}  // namespace firn::meta
