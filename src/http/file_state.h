// What a file is like at the moment that a request is about, or after one has changed it.
#pragma once

#include "base/time.h"
#include "http/validators.h"
#include "vfs/volume.h"

namespace firn::http {

struct FileState {
  vfs::Attr attr;
  Timestamp seen;
  bool settled = false;  // is_settled(): its tag names this content only
};

// Of a file that was changed just now, it waits for the tick of the clock that this happened in to end: some
// milliseconds. One that is changed all the time does not settle, nor does one that is removed meanwhile.
io::Task<Result<FileState>> state_of(vfs::Volume& volume, InodeId inode);

// A change under a condition that has been found to hold is made of that very version (vfs::Volume::unlink): whether
// one that failed so is to be tried again, from the condition on. Waits a little where a program has the file open for
// writing, which may be closing it; some seconds in all.
class Retry {
 public:
  io::Task<bool> after(const Status& failure);

 private:
  int64_t waited_ns_ = 0;
  int overtaken_ = 0;
};

// 412.
Response failed_condition();

}  // namespace firn::http
