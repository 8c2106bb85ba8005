// LocalUse: what files take of the local disk.
#pragma once

#include <cstdint>
#include <mutex>

#include "base/ids.h"

namespace firn::vfs {

// Counted from the records at the start and by each walk over all inodes, and kept up in between by what is noted.
// Thread-safe.
class LocalUse {
 public:
  // ---- whole files ----
  void set_whole(uint64_t bytes);
  // So much more, or less, is there of the inode.
  void note_whole(InodeId inode, int64_t bytes);
  uint64_t whole_bytes() const;

  // A walk in the order of the inodes, one at a time: what is noted behind it counts beside what it finds, what is
  // noted before it is found by it.
  void begin_walk();
  void walked(InodeId last);  // it has the records up to this one
  void end_walk(uint64_t found_bytes);

 private:
  mutable std::mutex mutex_;  // guards the rest
  int64_t whole_ = 0;
  InodeId walked_;            // 0: nothing, or there is no walk
  int64_t noted_behind_ = 0;  // since it began
};

}  // namespace firn::vfs
