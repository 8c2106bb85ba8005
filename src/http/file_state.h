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
// milliseconds. One that is changed all the time does not settle.
io::Task<Result<FileState>> state_of(vfs::Volume& volume, InodeId inode);

// 412.
Response failed_condition();

}  // namespace firn::http
