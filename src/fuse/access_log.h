// AccessLog: what is asked through the door, a line for each request, for whoever reads .firn/accesslog meanwhile.
// docs/observability.md has the format.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "fuse/decode.h"
#include "io/task.h"

namespace firn::fuse {

// What a line tells, noted before the operation: its reply overwrites the request.
struct AccessRecord {
  int64_t started_ns = 0;  // monotonic
  uint32_t opcode = 0;
  uint64_t inode = 0;  // for what takes a name, that of the folder
  std::string name, new_name;
  uint64_t new_folder = 0;  // of a rename or the inode of a link; 0: neither
  bool has_range = false;
  uint64_t offset = 0, bytes = 0;  // as asked for
  uint32_t uid = 0, gid = 0, pid = 0;
};

// Invariant: each reader has its own buffer of at most kBufferBytes. A line that does not fit is dropped, and counted;
// the reader is told how many before the next line that does fit.
// Thread-safe.
class AccessLog {
 public:
  static constexpr size_t kBufferBytes = 1 << 20;
  // So often a reader is sent a line that says nothing when there is nothing to say: a read that stayed without an
  // answer could not be interrupted.
  static constexpr int64_t kIdleNs = 1'000'000'000;

  class Reader;

  AccessLog();
  ~AccessLog();

  // Whether anybody reads; asked for every request.
  bool wanted() const { return reader_count_.load(std::memory_order_relaxed) != 0; }

  static std::unique_ptr<AccessRecord> note(const Request& request);
  // `error` is 0 or an errno, `bytes` what was read or written.
  void add(const AccessRecord& record, int error, uint64_t bytes);

  // Owned by the log, until close().
  Reader* open();
  void close(Reader* reader);
  // Waits for a line. At least one byte, unless `out` is empty.
  io::Task<size_t> read(Reader* reader, std::span<std::byte> out);

 private:
  std::atomic<uint32_t> reader_count_ = 0;
  std::mutex readers_mutex_;  // guards readers_ and what they hold
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace firn::fuse
