#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "io/buffer.h"
#include "io/unique_fd.h"
#include "io/uring/page_cache.h"
#include "io/uring/uring_disk.h"
#include "io/uring/uring_reactor.h"

namespace firn::io {
namespace {

// The kernel moves at most this much in one call.
constexpr size_t kMaxTransferBytes = 1 << 30;
// Cutting off or freeing more than this walks enough extents to be worth another thread.
constexpr uint64_t kInlineFreeBytes = 16 << 20;

// A file system that cannot write without waiting (ext4) still only copies into the page cache, as a rule. Small writes
// therefore run inline, until one stalls (the cache is full of dirty pages): then all go to the ring for a while.
// Through the ring they would take a worker thread each, ten times the cost.
constexpr size_t kInlineWriteBytes = 64 << 10;
constexpr int64_t kStallNs = 1'000'000;
constexpr int64_t kStallPauseNs = 100'000'000;
constinit thread_local int64_t ring_writes_until_ns = 0;

// btrfs compares at most this much in one call.
constexpr uint64_t kMaxSharedAtOnceBytes = 16 << 20;

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

struct Shared {
  uint64_t bytes = 0;  // 0 without an error: they differ
  int error = 0;
};

// ioctl_fideduperange(2), for one pair of files.
Shared share_blocks(int source, uint64_t source_offset, int target, uint64_t offset, uint64_t bytes) {
  file_dedupe_range range{};
  file_dedupe_range_info into{};
  range.src_offset = source_offset;
  range.src_length = std::min(bytes, kMaxSharedAtOnceBytes);
  range.dest_count = 1;
  into.dest_fd = target;
  into.dest_offset = offset;
  // The one lies behind the other: a structure that ends in an array.
  alignas(file_dedupe_range) std::array<std::byte, sizeof range + sizeof into> call;
  std::memcpy(call.data(), &range, sizeof range);
  std::memcpy(call.data() + sizeof range, &into, sizeof into);
  if (ioctl(source, FIDEDUPERANGE, call.data()) != 0) return {.bytes = 0, .error = errno};
  std::memcpy(&into, call.data() + sizeof range, sizeof into);
  if (into.status < 0) return {.bytes = 0, .error = -into.status};
  return {.bytes = into.status == FILE_DEDUPE_RANGE_DIFFERS ? 0 : into.bytes_deduped, .error = 0};
}

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
  Task<void> start_writeback(uint64_t offset, uint64_t bytes) override;
  Task<Result<void>> truncate(uint64_t bytes) override;
  Task<Result<void>> allocate(Allocate mode, uint64_t offset, uint64_t bytes) override;
  Task<Result<uint64_t>> seek(Seek what, uint64_t offset) override;
  Task<Result<FileStat>> stat() override;
  Task<Result<void>> set_times(Timestamp atime, Timestamp mtime) override;
  Task<Result<uint64_t>> copy_from(File& source, uint64_t source_offset, uint64_t offset, uint64_t bytes) override;
  Task<Result<uint64_t>> share_blocks_of(File& source, uint64_t source_offset, uint64_t offset,
                                         uint64_t bytes) override;
  bool in_memory(uint64_t offset, uint64_t bytes) override { return internal::in_page_cache(fd_, offset, bytes); }
  int fd() const override { return fd_; }
  std::optional<bool> open_elsewhere() override;

 private:
  int64_t write_inline(uint64_t offset, std::span<const std::byte> data);
  Task<Result<size_t>> write_pages(uint64_t offset, std::span<const std::byte> data) override;

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

// The write without the ring, where that is safe: the bytes written, -EAGAIN when it is for the ring, or a failure.
int64_t UringFile::write_inline(uint64_t offset, std::span<const std::byte> data) {
  const iovec part{const_cast<std::byte*>(data.data()), data.size()};
  if (nowait_writes_.load(std::memory_order_relaxed)) {
    const ssize_t result = pwritev2(fd_, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (result >= 0) return result;
    if (errno != EOPNOTSUPP) return would_wait(errno) ? -EAGAIN : -errno;
    nowait_writes_.store(false, std::memory_order_relaxed);
  }
  if (data.size() > kInlineWriteBytes) return -EAGAIN;
  const int64_t start_ns = system_clock().monotonic_ns();
  if (start_ns < ring_writes_until_ns) return -EAGAIN;
  const ssize_t result = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
  const int error = errno;
  const int64_t end_ns = system_clock().monotonic_ns();
  if (end_ns - start_ns > kStallNs) ring_writes_until_ns = end_ns + kStallPauseNs;
  if (result >= 0) return result;
  return error == EINTR ? -EAGAIN : -error;
}

Task<Result<void>> UringFile::write(uint64_t offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto part = data.first(std::min(data.size(), kMaxTransferBytes));
    int64_t result = write_inline(offset, part);
    while (result == -EAGAIN || result == -EINTR) {
      result = co_await UringReactor::current()->submit([this, part, offset](io_uring_sqe* sqe) {
        io_uring_prep_write(sqe, fd_, part.data(), static_cast<unsigned>(part.size()), offset);
      });
    }
    CO_TRY(check(result));
    if (result == 0) co_return fail(Code::kIo);
    data = data.subspan(static_cast<size_t>(result));
    offset += static_cast<uint64_t>(result);
  }
  co_return {};
}

Task<Result<size_t>> UringFile::write_pages(uint64_t offset, std::span<const std::byte> data) {
  // Open only meanwhile, for open_elsewhere().
  const UniqueFd direct(::open(("/proc/self/fd/" + std::to_string(fd_)).c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  size_t done = 0;
  while (direct && done < data.size()) {
    const auto part = data.subspan(done, std::min(data.size() - done, kMaxTransferBytes));
    const int64_t result = co_await UringReactor::current()->submit([&](io_uring_sqe* sqe) {
      io_uring_prep_write(sqe, direct.get(), part.data(), static_cast<unsigned>(part.size()), offset + done);
    });
    if (result == -EINTR || result == -EAGAIN) continue;
    if (result == -EINVAL || result == -EOPNOTSUPP) break;  // this file system wants something else
    CO_TRY(check(result));
    if (result == 0) break;
    done += static_cast<size_t>(result);
    if (result % static_cast<int64_t>(kPageBytes) != 0) break;
  }
  co_return done;
}

Task<Result<void>> UringFile::sync(bool data_only) {
  const unsigned flags = data_only ? IORING_FSYNC_DATASYNC : 0;
  co_return check(co_await UringReactor::current()->submit(
      [this, flags](io_uring_sqe* sqe) { io_uring_prep_fsync(sqe, fd_, flags); }));
}

// In a thread of the kernel's: it looks for blocks, and waits where the device's queue is full.
Task<void> UringFile::start_writeback(uint64_t offset, uint64_t bytes) {
  const auto count = static_cast<unsigned>(std::min<uint64_t>(bytes, kMaxTransferBytes));
  (void)co_await UringReactor::current()->submit([this, offset, count](io_uring_sqe* sqe) {
    io_uring_prep_sync_file_range(sqe, fd_, count, offset, SYNC_FILE_RANGE_WRITE);
  });
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

// A write lease is granted to the only opener of a file, and to nobody else (fcntl(2), F_SETLEASE).
std::optional<bool> UringFile::open_elsewhere() {
  if (fcntl(fd_, F_SETLEASE, F_WRLCK) == 0) {
    fcntl(fd_, F_SETLEASE, F_UNLCK);
    return false;
  }
  return errno == EAGAIN ? std::optional(true) : std::nullopt;
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

Task<Result<uint64_t>> UringFile::share_blocks_of(File& source, uint64_t source_offset, uint64_t offset,
                                                  uint64_t bytes) {
  const auto share = [source_fd = source.fd(), target_fd = fd_, source_offset, offset, bytes]() -> int64_t {
    uint64_t done = 0;
    while (done < bytes) {
      const Shared shared = share_blocks(source_fd, source_offset + done, target_fd, offset + done, bytes - done);
      if (shared.error != 0 && done == 0) return -shared.error;
      if (shared.bytes == 0) break;  // what is shared already stays so, whatever became of the rest
      done += shared.bytes;
    }
    return static_cast<int64_t>(done);
  };
  const int64_t shared = co_await pool_.run(share);
  CO_TRY(check(shared));
  co_return static_cast<uint64_t>(shared);
}

}  // namespace

std::unique_ptr<File> make_uring_file(int fd, BlockingPool& pool) { return std::make_unique<UringFile>(fd, pool); }

}  // namespace firn::io
