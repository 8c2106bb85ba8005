// data/hot: backings as sparse files on a local disk, root/xx/<16 hex digits>, xx being the id's low byte.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "data/store.h"
#include "io/disk.h"

namespace firn::data {

// Every ready, lent, open and recent object holds one file descriptor: the process's limit must exceed
// max_ready + recent_objects + the files that are open at once.
struct HotOptions {
  io::Disk& disk;                // must outlive the store
  std::string root;              // its parent exists; the folder itself is made by start()
  size_t min_ready = 256;        // the pool's first target
  size_t max_ready = 4096;       // the target doubles up to this when the pool runs dry; what exceeds it is removed
  size_t recent_objects = 1024;  // objects kept open (and registered for passthrough) after their last user left
};

// Before start(), open(), list() and remove() serve recovery; lending begins with start(). After stop() the store
// lends nothing and caches nothing. Objects may outlive the store. stop() must have returned before it is destroyed
// if start() was called.
std::unique_ptr<Store> make_hot_store(HotOptions options);

}  // namespace firn::data
