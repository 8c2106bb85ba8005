// BodyWriter: a request's body on its way into a file.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/exchange.h"
#include "io/buffer.h"
#include "vfs/stream_writer.h"

namespace firn::http {

// In pieces, never held whole in memory. The exchange and the handle outlive it.
class BodyWriter {
 public:
  BodyWriter(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle);

  // Receives the first piece, or all of a short body: whoever waits for the file does not wait for the client.
  io::Task<Result<void>> read_ahead();
  // Instead: all of it, for a body that may turn out to be too large and whose file must not change then. What is more
  // than a piece is kept in a file without a name, until close().
  io::Task<Result<void>> read_all(vfs::DoorId door);
  // Writes what was read ahead, and the rest of the body as it comes; the number of bytes. After read_ahead().
  io::Task<Result<uint64_t>> write_all(vfs::StreamWriter::Options options);
  // After read_all(), whatever it returned.
  io::Task<void> close();

 private:
  io::Task<Result<void>> keep_rest();
  io::Task<Result<size_t>> next();
  io::Task<Result<void>> pass_on(vfs::StreamWriter& writer, uint64_t most_bytes);

  Exchange& exchange_;
  vfs::Volume& volume_;
  vfs::Handle* const handle_;
  const size_t room_;
  const io::Buffer buffer_;
  size_t held_ = 0;
  vfs::Handle* kept_ = nullptr;  // the rest of the body
  uint64_t kept_read_bytes_ = 0;
};

}  // namespace firn::http
