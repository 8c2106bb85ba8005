// Record marking (RFC 5531, section 11): on a stream, a record is one or more fragments, each with four bytes before it
// that say how long it is and whether it is the last.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/status.h"
#include "io/buffer.h"
#include "io/socket.h"

namespace firn::nfs {

inline constexpr uint32_t kLastFragment = 0x80000000;
inline constexpr size_t kRecordMarkBytes = 4;

struct RecordLimits {
  size_t record_bytes = 0;        // without the marks
  size_t fragments = 256;         // of one record
  int64_t idle_timeout_ns = 0;    // until a record's first byte
  int64_t record_timeout_ns = 0;  // from there to its last
};

struct Record {
  io::Buffer bytes;
  size_t size = 0;
  std::span<const std::byte> view() const { return {bytes.get(), size}; }
};

// Reads records from a socket, which outlives it. What is small is received together with what follows it; the bulk of
// a large record goes straight into its own buffer.
class RecordReader {
 public:
  RecordReader(io::Socket& socket, RecordLimits limits, io::CancelToken* token)
      : socket_(socket), limits_(limits), token_(token) {}

  // nullopt: the peer has closed between two records, or was silent for too long there. kInvalid: what came is no
  // record, or one beyond the limits. kTimedOut: it came too slowly. Otherwise as Socket::recv.
  io::Task<Result<std::optional<Record>>> next();
  // Whether some of the next one has come already.
  bool has_more() const { return !pending().empty(); }

 private:
  static constexpr size_t kInboxBytes = 32 << 10;

  std::span<const std::byte> pending() const { return {inbox_.get() + begin_, end_ - begin_}; }
  // False: the peer has closed.
  io::Task<Result<bool>> fill(io::Until until);
  io::Task<Result<void>> take(std::span<std::byte> to, io::Until until);
  io::Task<Result<uint32_t>> mark(io::Until until);
  Status add_room(Record& record, size_t fragment_bytes) const;

  io::Socket& socket_;
  const RecordLimits limits_;
  io::CancelToken* const token_;
  std::unique_ptr<std::byte[]> inbox_ = std::make_unique_for_overwrite<std::byte[]>(kInboxBytes);
  size_t begin_ = 0, end_ = 0;
};

}  // namespace firn::nfs
