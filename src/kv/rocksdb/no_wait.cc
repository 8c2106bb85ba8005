#include "kv/rocksdb/no_wait.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace firn::kv::rocks {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class Table final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  Table(std::unique_ptr<rocksdb::FSRandomAccessFile> file, int fd)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), fd_(fd) {}
  ~Table() override { ::close(fd_); }

  IOStatus Read(uint64_t offset, size_t bytes, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                IODebugContext* debug) const override {
    if (!NoWait::active()) return target()->Read(offset, bytes, options, result, scratch, debug);
    const iovec buffer{.iov_base = scratch, .iov_len = bytes};
    const ssize_t got = ::preadv2(fd_, &buffer, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    // Short, too, when the rest is not in memory; whoever may wait finds out whether it is the file's end.
    if (got < 0 || static_cast<size_t>(got) != bytes)
      return rocksdb::status_to_io_status(rocksdb::Status::Incomplete());
    *result = rocksdb::Slice(scratch, bytes);
    return IOStatus::OK();
  }

 private:
  const int fd_;
};

}  // namespace

thread_local int NoWait::depth_ = 0;

IOStatus NoWaitReads::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext* debug) {
  IOStatus status = target()->NewRandomAccessFile(path, options, result, debug);
  if (!status.ok()) return status;
  if (const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC); fd >= 0)
    *result = std::make_unique<Table>(std::move(*result), fd);
  return status;
}

}  // namespace firn::kv::rocks
