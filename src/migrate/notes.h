// What a run writes down for the next one, should it be killed.
#pragma once

#include <functional>

#include "base/ids.h"
#include "io/task.h"
#include "migrate/content_hash.h"
#include "migrate/source.h"

namespace firn::migrate {

// Called on any reactor. Of a file that has no name yet: it may never get one.
struct Notes {
  // The source's file with several names is becoming that inode.
  std::function<io::Task<void>(FileKey key, InodeId inode)> file;
  std::function<io::Task<void>(ContentHash content, InodeId inode)> content;
};

}  // namespace firn::migrate
