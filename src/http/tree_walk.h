// Every file below a path, several at a time.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "io/cancel.h"
#include "vfs/volume.h"

namespace firn::http {

struct TreeWalk {
  vfs::Volume& volume;
  io::CancelToken* token = nullptr;
  size_t at_once = 1;
  // A regular file, and its path. Its failure ends the walk.
  std::function<io::Task<Result<void>>(std::string path, vfs::Attr attr)> visit;
  // A folder, before its entries are listed. The same. May be empty.
  std::function<io::Task<Result<void>>(InodeId folder)> enter = {};
};

// `path` may be a file. Symbolic links are not followed. What vanishes meanwhile is passed over. As the superuser.
io::Task<Result<void>> walk_files(const TreeWalk& walk, std::string path);

// A path of each of these regular files, found by a walk over all folders; one that has no name stays "".
io::Task<Result<void>> find_paths(vfs::Volume& volume, std::map<InodeId, std::string>& paths);

}  // namespace firn::http
