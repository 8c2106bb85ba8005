#include "vfs/local_use.h"

#include <algorithm>

namespace firn::vfs {

void LocalUse::set_whole(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  whole_ = static_cast<int64_t>(bytes);
}

void LocalUse::note_whole(InodeId inode, int64_t bytes) {
  std::lock_guard lock(mutex_);
  whole_ += bytes;
  if (inode <= walked_) noted_behind_ += bytes;
}

uint64_t LocalUse::whole_bytes() const {
  std::lock_guard lock(mutex_);
  return static_cast<uint64_t>(std::max<int64_t>(whole_, 0));
}

void LocalUse::begin_walk() {
  std::lock_guard lock(mutex_);
  walked_ = InodeId();
  noted_behind_ = 0;
}

void LocalUse::walked(InodeId last) {
  std::lock_guard lock(mutex_);
  walked_ = last;
}

void LocalUse::end_walk(uint64_t found_bytes) {
  std::lock_guard lock(mutex_);
  whole_ = static_cast<int64_t>(found_bytes) + noted_behind_;
  walked_ = InodeId();
}

}  // namespace firn::vfs
