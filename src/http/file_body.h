// What of a file's content goes into the body of a response.
#pragma once

#include "http/exchange.h"
#include "http/ranges.h"
#include "vfs/volume.h"

namespace firn::http {

// Sends a range of an open file. Much of a file that is on the local disk goes without copying, if the connection can.
// Once the client has all of it, the file held all of it while it was sent: of one that is cut off meanwhile the last
// byte does not follow (kIo), and no zeros stand for what is gone. `volume` and `handle` outlive the task.
io::Task<Result<void>> send_range(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle, ByteRange range);

}  // namespace firn::http
