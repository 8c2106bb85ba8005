// What of a file's content goes into the body of a response.
#pragma once

#include "http/exchange.h"
#include "http/ranges.h"
#include "vfs/volume.h"

namespace firn::http {

// Sends a range of an open file. Much of a file that is on the local disk goes without copying, if the connection can.
// A client that has all of it has what the file held: of one that is cut off meanwhile the last byte does not follow
// (kIo), and no zeros stand for what is gone. `volume` and `handle` outlive the task.
io::Task<Result<void>> send_range(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle, ByteRange range);

}  // namespace firn::http
