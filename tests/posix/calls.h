// Every system call that takes a path, in one table: most error rules hold for all of them alike.
#pragma once

#include <vector>

namespace firn::posix {

struct PathCall {
  const char* name;
  long (*run)(const char* path);
  bool creates = false;  // makes the path's last component; fails with EEXIST when it is there
  bool follows = false;  // follows a symlink in the last component
  bool changes = false;  // changes the object or its directory, so that EROFS applies
};

const std::vector<PathCall>& path_calls();

}  // namespace firn::posix
