// AccessLog: what is asked through the doors, a line for each request, for whoever reads it meanwhile.
// docs/observability.md has the format.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/task.h"

namespace firn::vfs {

// What a line tells. What is 0, empty or absent is left out of it.
struct AccessRecord {
  struct Range {
    uint64_t offset = 0, bytes = 0;
  };

  int64_t started_ns = 0;  // of system_clock(), monotonic
  std::string_view door;   // "fuse"; must outlive the record
  std::string op;
  uint64_t inode = 0;  // for what takes a name, that of the folder
  std::string name, new_name, xattr;
  uint64_t other_inode = 0;  // the new folder of a rename, what a link is made to
  std::string path, new_path;
  std::optional<Range> asked;
  std::optional<uint64_t> bytes;  // done
  uint32_t uid = 0, gid = 0;
  std::optional<uint32_t> pid;
  std::string client, token;  // the address of another end of a connection; a token's id
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

  // Now that it is answered. `result`: "OK", or what went wrong in one word.
  void add(const AccessRecord& record, std::string_view result);

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

}  // namespace firn::vfs
