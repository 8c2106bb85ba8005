#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "fuse/ops/ops.h"

namespace firn::fuse::ops {
namespace {

// The parts of a larger write may arrive in any order: each stays where the kernel has put it.
constexpr uint32_t kMaxAppend = 128 << 10;

vfs::Handle* handle_of(uint64_t fh) { return reinterpret_cast<vfs::Handle*>(fh); }

std::optional<io::Allocate> allocate_mode(uint32_t mode) {
  switch (mode) {
    case 0:
      return io::Allocate::kExtend;
    case FALLOC_FL_KEEP_SIZE:
      return io::Allocate::kKeepSize;
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
      return io::Allocate::kPunchHole;
    case FALLOC_FL_ZERO_RANGE:
      return io::Allocate::kZeroRange;
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
      return io::Allocate::kZeroRangeKeepSize;
    default:
      return std::nullopt;
  }
}

// The 32-bit form of COPY_FILE_RANGE cannot say more.
constexpr uint64_t kMaxCopy32 = std::numeric_limits<uint32_t>::max() & ~4095ULL;

// Of a target. The request does not say what WRITE says (FUSE_WRITE_KILL_SUIDGID), and the kernel leaves it to us.
io::Task<Result<void>> kill_set_ids(Door& door, const meta::Credentials& who, InodeId inode) {
  if (who.privileged()) co_return Result<void>();
  const meta::Attr attr = CO_TRY(co_await door.volume().getattr(inode));
  if ((attr.mode & (S_ISUID | S_ISGID)) == 0 && attr.xattr_count == 0) co_return Result<void>();
  vfs::Change change;
  change.attributes.kill_set_ids = true;
  CO_TRY(co_await door.volume().setattr(who, inode, change, nullptr));
  co_return Result<void>();
}

}  // namespace

Operation read(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_read_in>();
  if (!in.fh) co_return Code::kBadHandle;
  // Straight into the buffer from which the kernel takes the reply, or from where it lies.
  const auto buffer = exchange.reply.first(std::min<size_t>(in.size, exchange.reply.size()));
  const size_t bytes = CO_TRY(co_await door.volume().read(handle_of(in.fh), in.offset, buffer, &exchange.lent));
  door.count_read(bytes);
  co_return Outcome(bytes);
}

Operation write(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_write_in>();
  if (!in.fh) co_return Code::kBadHandle;
  // The kernel has resolved O_APPEND to an offset, by the size that it knows: another door may have appended since.
  // (What its page cache writes later has its place.)
  const bool appends = (in.flags & O_APPEND) != 0 && (in.write_flags & FUSE_WRITE_CACHE) == 0 && in.size <= kMaxAppend;
  const vfs::WriteOptions options{.kill_set_ids = (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0,
                                  .ends_there = appends};
  const size_t bytes =
      CO_TRY(co_await door.volume().write(handle_of(in.fh), in.offset, exchange.request.data, options));
  door.count_written(bytes);
  co_return exchange.answer(fuse_write_out{.size = static_cast<uint32_t>(bytes)});
}

Operation fsync(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_fsync_in>();
  if (!in.fh) co_return Code::kBadHandle;
  CO_TRY(co_await door.volume().fsync(handle_of(in.fh), (in.fsync_flags & FUSE_FSYNC_FDATASYNC) != 0));
  co_return Outcome();
}

Operation allocate(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_fallocate_in>();
  if (!in.fh) co_return Code::kBadHandle;
  const auto mode = allocate_mode(in.mode);
  if (!mode) co_return Code::kNotSupported;
  CO_TRY(co_await door.volume().allocate(handle_of(in.fh), *mode, in.offset, in.length));
  co_return Outcome();
}

Operation seek(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_lseek_in>();
  if (!in.fh) co_return Code::kBadHandle;
  if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE) co_return Code::kInvalid;
  const auto what = in.whence == SEEK_DATA ? vfs::SeekWhat::kData : vfs::SeekWhat::kHole;
  const uint64_t offset = CO_TRY(co_await door.volume().seek(handle_of(in.fh), what, in.offset));
  co_return exchange.answer(fuse_lseek_out{.offset = offset});
}

Operation copy_range(Door& door, Exchange& exchange) {
  const auto in = exchange.request.op<fuse_copy_file_range_in>();
  if (!in.fh_in || !in.fh_out) co_return Code::kBadHandle;
  if (in.flags != 0) co_return Code::kInvalid;
  CO_TRY(co_await kill_set_ids(door, door.credentials(exchange.request), InodeId(in.nodeid_out)));
  const bool wide = exchange.header().opcode == kOpCopyFileRange64;
  const uint64_t bytes = CO_TRY(co_await door.volume().copy_range(
      handle_of(in.fh_in), in.off_in, handle_of(in.fh_out), in.off_out, wide ? in.len : std::min(in.len, kMaxCopy32)));
  if (wide) co_return exchange.answer(CopyFileRangeOut{.bytes_copied = bytes});
  co_return exchange.answer(fuse_write_out{.size = static_cast<uint32_t>(bytes)});
}

}  // namespace firn::fuse::ops
