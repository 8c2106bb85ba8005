// io::Disk and io::File: the narrow seam through which firn touches a local file system.
// io/uring implements them on the reactor's ring, io/sim on a simulated disk that loses what was not synced.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "io/task.h"

namespace firn::io {

struct FileStat {
  uint64_t bytes = 0;            // logical size
  uint64_t allocated_bytes = 0;  // what it occupies
  Timestamp atime, mtime, ctime;
  bool is_directory = false;
};

struct DiskUsage {
  // What is free, but not available, is kept for the system (statvfs(3)).
  uint64_t total_bytes = 0, free_bytes = 0, available_bytes = 0;
  uint64_t total_files = 0, free_files = 0;

  uint64_t used_bytes() const { return total_bytes - std::min(free_bytes, total_bytes); }
  // What files may ever occupy: what df(1) takes percents of.
  uint64_t capacity_bytes() const { return used_bytes() + available_bytes; }
};

// FALLOC_FL_* semantics of fallocate(2).
enum class Allocate : uint8_t { kExtend, kKeepSize, kPunchHole, kZeroRange, kZeroRangeKeepSize };
enum class Seek : uint8_t { kData, kHole };

// An open file. Calls on one File may run concurrently. Destroying it closes it; no call may be in flight.
class File {
 public:
  virtual ~File() = default;

  // Up to buffer.size() bytes; fewer only at end of file, 0 at or past it. The buffer belongs to the call until it
  // returns.
  virtual Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> buffer) = 0;
  // Writes all of `data` or fails; on failure a prefix may have been written.
  virtual Task<Result<void>> write(uint64_t offset, std::span<const std::byte> data) = 0;
  // As write(), for much that is not expected to be read soon: past the page cache where the file system can do that
  // and `offset` is at a page and `data` begins at one (io/buffer.h), which spares a copy and the cache's memory.
  // What else writes to the same pages meanwhile collides with it: the next sync() may fail with kIo.
  Task<Result<void>> write_direct(uint64_t offset, std::span<const std::byte> data);
  // Data, and metadata unless `data_only`, survive a power cut once this returned. The file's name does not: see
  // sync_directory.
  virtual Task<Result<void>> sync(bool data_only) = 0;
  // Has the device begin to write what was written there, so that a later sync() finds less to wait for. Returns once
  // it was asked. Nothing is durable by that, and failures are sync()'s to tell.
  virtual Task<void> start_writeback(uint64_t /*offset*/, uint64_t /*bytes*/) { co_return; }
  virtual Task<Result<void>> truncate(uint64_t bytes) = 0;
  virtual Task<Result<void>> allocate(Allocate mode, uint64_t offset, uint64_t bytes) = 0;
  // Next data or hole at or after `offset`; kNoDevice (ENXIO) past the end, as lseek(2).
  virtual Task<Result<uint64_t>> seek(Seek what, uint64_t offset) = 0;
  virtual Task<Result<FileStat>> stat() = 0;
  // Sets atime and mtime.
  virtual Task<Result<void>> set_times(Timestamp atime, Timestamp mtime) = 0;
  // Copies inside the disk where it can (reflink, copy_file_range); returns the bytes copied, 0 at the source's end.
  virtual Task<Result<uint64_t>> copy_from(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) = 0;
  // Lets these bytes have the blocks of the source's, as far as both are equal, which the file system sees for itself,
  // with nobody writing to either meanwhile: no content changes, whatever the caller believes. Returns how many share
  // blocks now, from the beginning on; fewer than `bytes` where they differ from there, or it failed there. Offsets are
  // at blocks, the end too unless it is both files' end. Waits for what was written to either to be on the device.
  // kNotSupported: this file system's files have their blocks to themselves.
  virtual Task<Result<uint64_t>> share_blocks_of(File& /*source*/, uint64_t /*source_offset*/, uint64_t /*offset*/,
                                                 uint64_t /*bytes*/) {
    co_return fail(Code::kNotSupported);
  }

  // Whether all of these bytes can be read without waiting for the device, at this moment; false where nobody can tell.
  virtual bool in_memory(uint64_t /*offset*/, uint64_t /*bytes*/) { return false; }
  // The descriptor, for FUSE passthrough and splice; -1 where there is none (the simulator).
  virtual int fd() const { return -1; }

  // Whether anybody else has the file open as well; a mapping made through FUSE passthrough counts, although its
  // descriptor is closed. nullopt: this file system cannot tell. The file must be open for writing here.
  virtual std::optional<bool> open_elsewhere() { return false; }

 private:
  // write_direct()'s part of whole pages (O_DIRECT): how many bytes went past the page cache, so many pages; the rest
  // is for write(). 0: this file system has no such writes. kInvalid: `offset`, `data` or its size is not at a page.
  virtual Task<Result<size_t>> write_pages(uint64_t /*offset*/, std::span<const std::byte> /*data*/) {
    co_return size_t{0};
  }
};

struct OpenOptions {
  bool write = false;
  bool create = false;     // mode 0600
  bool exclusive = false;  // with create: kExists when the name is taken
  bool no_atime = false;
};

// Paths are absolute or relative to the process's folder. Thread-safe; calls need a current reactor.
class Disk {
 public:
  virtual ~Disk() = default;

  virtual Task<Result<std::unique_ptr<File>>> open(std::string path, OpenOptions options) = 0;
  virtual Task<Result<void>> make_directory(std::string path) = 0;  // kExists when it is there
  virtual Task<Result<void>> rename(std::string from, std::string to) = 0;
  virtual Task<Result<void>> unlink(std::string path) = 0;
  virtual Task<Result<FileStat>> stat(std::string path) = 0;
  // Names without "." and "..", in no order.
  virtual Task<Result<std::vector<std::string>>> list(std::string path) = 0;
  // Names created, renamed or removed in `path` before the call survive a power cut after it.
  virtual Task<Result<void>> sync_directory(std::string path) = 0;
  virtual Task<Result<DiskUsage>> usage(std::string path) = 0;
  // Everything written so far to the file system that holds `path` survives a power cut (syncfs(2)).
  virtual Task<Result<void>> sync_filesystem(std::string path) = 0;
};

}  // namespace firn::io
