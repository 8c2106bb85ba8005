#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "io/uring/uring_disk.h"
#include "io/uring/uring_reactor.h"

namespace firn::io {
namespace {

// The kernel moves at most this much in one call.
constexpr size_t kMaxTransferBytes = 1 << 30;
// Cutting off or freeing more than this walks enough extents to be worth another thread.
constexpr uint64_t kInlineFreeBytes = 16 << 20;

Result<void> check(int64_t result) {
  if (result >= 0) return {};
  return fail(Status::from_errno(static_cast<int>(-result)));
}

timespec to_timespec(Timestamp time) { return {time.seconds, static_cast<long>(time.nanoseconds)}; }
Timestamp to_timestamp(const timespec& time) { return {time.tv_sec, static_cast<uint32_t>(time.tv_nsec)}; }

int fallocate_mode(Allocate mode) {
  switch (mode) {
    case Allocate::kExtend:
      return 0;
    case Allocate::kKeepSize:
      return FALLOC_FL_KEEP_SIZE;
    case Allocate::kPunchHole:
      return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    case Allocate::kZeroRange:
      return FALLOC_FL_ZERO_RANGE;
    case Allocate::kZeroRangeKeepSize:
      return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
  }
  __builtin_unreachable();
}

// Whether an answer to a RWF_NOWAIT call means "not without waiting" instead of a failure.
bool would_wait(int error) { return error == EAGAIN || error == EOPNOTSUPP || error == EINTR; }

class UringFile final : public File {
 public:
  UringFile(int fd, BlockingPool& pool) : fd_(fd), pool_(pool) {}

  ~UringFile() override {
    struct stat st{};
    const bool frees_much =
        fstat(fd_, &st) == 0 && st.st_nlink == 0 && static_cast<uint64_t>(st.st_blocks) * 512 > kInlineFreeBytes;
    if (frees_much) {
      pool_.submit([fd = fd_] { close(fd); });
    } else {
      close(fd_);
    }
  }

  Task<Result<size_t>> read(uint64_t offset, std::span<std::byte> buffer) override;
  Task<Result<void>> write(uint64_t offset, std::span<const std::byte> data) override;
  Task<Result<void>> sync(bool data_only) override;
  Task<Result<void>> truncate(uint64_t bytes) override;
  Task<Result<void>> allocate(Allocate mode, uint64_t offset, uint64_t bytes) override;
  Task<Result<uint64_t>> seek(Seek what, uint64_t offset) override;
  Task<Result<FileStat>> stat() override;
  Task<Result<void>> set_times(Timestamp atime, Timestamp mtime) override;
  Task<Result<uint64_t>> copy_from(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) override;
  int fd() const override { return fd_; }

 private:
  int fd_;
  BlockingPool& pool_;
  // Cleared when the file system (ext4, for one) has no way of writing without waiting.
  std::atomic<bool> nowait_writes_ = true;
};

Task<Result<size_t>> UringFile::read(uint64_t offset, std::span<std::byte> buffer) {
  size_t done = 0;
  bool cached = true;
  while (done < buffer.size()) {
    const size_t count = std::min(buffer.size() - done, kMaxTransferBytes);
    std::byte* target = buffer.data() + done;
    int64_t result = 0;
    if (cached) {
      const iovec part{target, count};
      result = preadv2(fd_, &part, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
      if (result < 0 && would_wait(errno)) {
        cached = false;
        continue;
      }
      if (result < 0) result = -errno;
    } else {
      result = co_await UringReactor::current()->submit([this, target, count, at = offset + done](io_uring_sqe* sqe) {
        io_uring_prep_read(sqe, fd_, target, static_cast<unsigned>(count), at);
      });
      if (result == -EINTR || result == -EAGAIN) continue;
    }
    CO_TRY(check(result));
    if (result == 0) break;
    done += static_cast<size_t>(result);
  }
  co_return done;
}

Task<Result<void>> UringFile::write(uint64_t offset, std::span<const std::byte> data) {
  size_t done = 0;
  bool nowait = nowait_writes_.load(std::memory_order_relaxed);
  while (done < data.size()) {
    const size_t count = std::min(data.size() - done, kMaxTransferBytes);
    const std::byte* source = data.data() + done;
    int64_t result = 0;
    if (nowait) {
      const iovec part{const_cast<std::byte*>(source), count};
      result = pwritev2(fd_, &part, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
      if (result < 0 && errno == EOPNOTSUPP) nowait_writes_.store(false, std::memory_order_relaxed);
      if (result < 0 && would_wait(errno)) {
        nowait = false;
        continue;
      }
      if (result < 0) result = -errno;
    } else {
      result = co_await UringReactor::current()->submit([this, source, count, at = offset + done](io_uring_sqe* sqe) {
        io_uring_prep_write(sqe, fd_, source, static_cast<unsigned>(count), at);
      });
      if (result == -EINTR || result == -EAGAIN) continue;
    }
    CO_TRY(check(result));
    if (result == 0) co_return fail(Code::kIo);
    done += static_cast<size_t>(result);
  }
  co_return {};
}

Task<Result<void>> UringFile::sync(bool data_only) {
  const unsigned flags = data_only ? IORING_FSYNC_DATASYNC : 0;
  co_return check(co_await UringReactor::current()->submit(
      [this, flags](io_uring_sqe* sqe) { io_uring_prep_fsync(sqe, fd_, flags); }));
}

Task<Result<void>> UringFile::truncate(uint64_t bytes) {
  struct stat st{};
  const bool frees_much = fstat(fd_, &st) == 0 && static_cast<uint64_t>(st.st_size) > bytes &&
                          static_cast<uint64_t>(st.st_size) - bytes > kInlineFreeBytes;
  const auto cut = [this, bytes] { return ftruncate(fd_, static_cast<off_t>(bytes)) == 0 ? 0 : -errno; };
  co_return check(frees_much ? co_await pool_.run(cut) : cut());
}

Task<Result<void>> UringFile::allocate(Allocate mode, uint64_t offset, uint64_t bytes) {
  co_return check(co_await UringReactor::current()->submit([=, this](io_uring_sqe* sqe) {
    io_uring_prep_fallocate(sqe, fd_, fallocate_mode(mode), static_cast<off_t>(offset), static_cast<off_t>(bytes));
  }));
}

Task<Result<uint64_t>> UringFile::seek(Seek what, uint64_t offset) {
  // lseek moves the descriptor's position, which nothing here uses.
  const off_t found = lseek(fd_, static_cast<off_t>(offset), what == Seek::kData ? SEEK_DATA : SEEK_HOLE);
  if (found < 0) co_return fail(Status::from_errno(errno));
  co_return static_cast<uint64_t>(found);
}

Task<Result<FileStat>> UringFile::stat() {
  struct stat st{};
  if (fstat(fd_, &st) != 0) co_return fail(Status::from_errno(errno));
  co_return FileStat{.bytes = static_cast<uint64_t>(st.st_size),
                     .allocated_bytes = static_cast<uint64_t>(st.st_blocks) * 512,
                     .atime = to_timestamp(st.st_atim),
                     .mtime = to_timestamp(st.st_mtim),
                     .ctime = to_timestamp(st.st_ctim),
                     .is_directory = S_ISDIR(st.st_mode)};
}

Task<Result<void>> UringFile::set_times(Timestamp atime, Timestamp mtime) {
  const timespec times[2] = {to_timespec(atime), to_timespec(mtime)};
  co_return check(futimens(fd_, times) == 0 ? 0 : -errno);
}

Task<Result<uint64_t>> UringFile::copy_from(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) {
  const auto copy = [source_fd = source.fd(), target_fd = fd_, source_offset, offset, bytes]() -> int64_t {
    auto from = static_cast<off64_t>(source_offset);
    auto to = static_cast<off64_t>(offset);
    const ssize_t copied = copy_file_range(source_fd, &from, target_fd, &to, std::min(bytes, uint64_t{1} << 30), 0);
    return copied < 0 ? -errno : copied;
  };
  const int64_t copied = co_await pool_.run(copy);
  CO_TRY(check(copied));
  co_return static_cast<uint64_t>(copied);
}

}  // namespace

std::unique_ptr<File> make_uring_file(int fd, BlockingPool& pool) { return std::make_unique<UringFile>(fd, pool); }

}  // namespace firn::io
