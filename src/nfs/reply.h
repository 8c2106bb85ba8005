// What answers a call: bytes, and behind them perhaps some of a file's, which are sent from where they are.
#pragma once

#include <cstdint>
#include <memory>

#include "io/socket.h"
#include "nfs/open_files.h"
#include "nfs/xdr.h"

namespace firn::nfs {

// An opaque's content, without its length and padding. Of no file: there is none.
struct FilePart {
  std::shared_ptr<OpenFile> open;  // so that the content stays in `backing`
  std::shared_ptr<io::File> backing;
  uint64_t offset = 0;
  uint32_t bytes = 0;
};

struct Reply {
  XdrWriter head;  // all that comes before the part, its length included
  FilePart part;
};

// Sends all of it, and the part's padding. Where it fails, some of it may have been sent. kIo: the file was cut off
// after its length had been promised. Otherwise as Socket::send.
io::Task<Result<void>> send_reply(io::Socket& socket, const Reply& reply, io::Until until);

}  // namespace firn::nfs
