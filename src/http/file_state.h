// What a file is like at the moment that a request is about, and after one has changed it.
#pragma once

#include "base/time.h"
#include "http/validators.h"
#include "vfs/volume.h"

namespace firn::http {

struct FileState {
  vfs::Attr attr;
  Timestamp seen;
  bool settled = false;  // is_settled(), so that its tag names this content only
};

// Waits for some milliseconds where the file was written just now; one that is written all the time does not settle.
io::Task<Result<FileState>> state_of(vfs::Volume& volume, InodeId inode);

// Gives what was written through `handle` a time of modification that no other write has: of a clock that does not
// stand still. Its tag is a strong one at once.
io::Task<Result<void>> mark_changed(vfs::Volume& volume, vfs::Handle* handle, vfs::DoorId door);

// 412.
Response failed_condition();

}  // namespace firn::http
