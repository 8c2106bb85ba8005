// Paths of inodes of a mounted volume, as far as the kernel knows them: for what it has in its caches it costs nothing.
#pragma once

#include <cstdint>
#include <string>

#include "io/unique_fd.h"

namespace firn::cli {

class InodePaths {
 public:
  // `mount_point` must stay mounted.
  explicit InodePaths(const std::string& mount_point);

  // "/a/b" in the volume; empty: the kernel does not know, or this process may not ask (it takes
  // CAP_DAC_READ_SEARCH).
  std::string path_of(uint64_t inode) const;

 private:
  const std::string mount_point_;
  io::UniqueFd root_;
};

}  // namespace firn::cli
