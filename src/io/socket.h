// io::Socket and io::Listener: byte streams between processes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/status.h"
#include "io/disk.h"
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

  // As send(), of a few bytes that others follow at once: they may wait for those, to leave with them.
  virtual Task<Result<void>> send_ahead(std::span<const std::byte> data, Until until) {
    co_return co_await send(data, until);
  }

  // Sends bytes of `file` from `offset` on: at least one, at most `bytes`; 0 at or past the file's end. Beside one
  // recv, as a send. This one copies them; a Socket that can do without does, where the page cache has them. Then what
  // was sent is the cache's own pages until the peer has read it: a file that is cut off or emptied meanwhile may reach
  // the peer as zeros. So keep it from being emptied, and let acknowledged() show that what counts has left.
  virtual Task<Result<size_t>> send_file(File& file, uint64_t offset, size_t bytes, Until until);
  // Whether send_file() can do without copying.
  virtual bool sends_pages() const { return false; }
  // What a peer on this machine may leave unread in its kernel, however much it has.
  virtual size_t most_unread_bytes() const { return 0; }
  // Returns once the peer's kernel has all that was sent but the last `but_bytes` at the most.
  virtual Task<Result<void>> acknowledged(size_t but_bytes, Until until);

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
