// io::Socket and io::Listener: byte streams between processes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/status.h"
#include "io/task.h"
#include "io/until.h"

namespace firn::io {

// A connected stream. One recv and one send may be in flight at once. Destroying it closes it; no call may be in
// flight. Buffers belong to a call until it returns. kTimedOut: the deadline passed; kInterrupted: cancelled;
// kUnavailable: the peer is gone.
class Socket {
 public:
  enum class Side : uint8_t { kReceive, kSend, kBoth };

  virtual ~Socket() = default;
  // At least one byte, at most buffer.size(); 0 when the peer has closed its sending side.
  virtual Task<Result<size_t>> recv(std::span<std::byte> buffer, Until until) = 0;
  // Sends all of `data`; on failure a prefix may have been sent.
  virtual Task<Result<void>> send(std::span<const std::byte> data, Until until) = 0;
  // A pending recv of this side then returns 0.
  virtual void shutdown(Side side) = 0;
  // The descriptor, for socket options and credentials of the peer; -1 where there is none.
  virtual int fd() const { return -1; }
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual Task<Result<std::unique_ptr<Socket>>> accept(Until until) = 0;
  virtual int fd() const { return -1; }
};

}  // namespace firn::io
