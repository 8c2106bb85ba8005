// ReplySender: the sending side of a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/socket.h"
#include "io/sync.h"
#include "nfs/reply.h"

namespace firn::nfs {

// Sends replies one after another, in any order; small ones that are ready while another is sent go out together.
// Invariants:
//  1. `gathered_` holds the last of the `gathered_bytes_` bytes that were put there; those before were sent.
//  2. Whoever put bytes there waits until they were sent: so their number is bounded by that of the calls.
// On one reactor. The socket and the token outlive it.
class ReplySender {
 public:
  // Each time something is sent it may take `timeout_ns`, and the token ends it.
  ReplySender(io::Socket& socket, int64_t timeout_ns, io::CancelToken* token)
      : socket_(socket), timeout_ns_(timeout_ns), token_(token) {}

  // Returns when it was sent. A failure concerns all that follow: half a reply may have gone out, and nothing behind it
  // would be understood.
  io::Task<Result<void>> send(const Reply& reply);

 private:
  io::Task<Result<void>> send_small(std::span<const std::byte> bytes);

  io::Socket& socket_;
  const int64_t timeout_ns_;
  io::CancelToken* const token_;
  io::Mutex sending_;  // one at a time; held across awaits
  std::vector<std::byte> gathered_;
  uint64_t gathered_bytes_ = 0, sent_bytes_ = 0;
  bool broken_ = false;
};

}  // namespace firn::nfs
