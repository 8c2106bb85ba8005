#include <linux/fs.h>

#include <algorithm>
#include <cstring>

#include "fuse/ops/ops.h"

namespace firn::fuse::ops {
namespace {

// 32-bit programs pass these numbers (asm-generic ioctl encoding with a 4-byte argument).
constexpr uint32_t kGetFlags32 = 0x80046601, kSetFlags32 = 0x40046602;

constexpr uint32_t kHonoured = meta::kFlagImmutable | meta::kFlagAppend;

struct FlagsReply {
  fuse_ioctl_out out;
  uint64_t flags;
};

struct XflagsReply {
  fuse_ioctl_out out;
  fsxattr attributes;
};

Outcome answer_flags(Exchange& exchange, uint32_t flags) {
  const FlagsReply reply{.out = {}, .flags = flags};
  // FS_IOC_GETFLAGS is declared with a long and used with an int: as many bytes as were asked for.
  const size_t value_bytes = std::min<size_t>(exchange.request.op<fuse_ioctl_in>().out_size, sizeof reply.flags);
  exchange.answer(reply);
  return Outcome(sizeof reply.out + value_bytes);
}

Outcome answer_xflags(Exchange& exchange, uint32_t flags) {
  XflagsReply reply{};
  if (flags & meta::kFlagImmutable) reply.attributes.fsx_xflags |= FS_XFLAG_IMMUTABLE;
  if (flags & meta::kFlagAppend) reply.attributes.fsx_xflags |= FS_XFLAG_APPEND;
  const size_t bytes = std::min<size_t>(exchange.request.op<fuse_ioctl_in>().out_size, sizeof reply.attributes);
  exchange.answer(reply);
  return Outcome(sizeof reply.out + bytes);
}

// The flags that the caller wants, in FS_IOC_GETFLAGS bits; kNotSupported for one that firn does not honour.
Result<uint32_t> wanted_flags(const Request& request) {
  if (request.op<fuse_ioctl_in>().cmd == FS_IOC_FSSETXATTR) {
    fsxattr attributes{};
    if (request.data.size() < sizeof attributes) return fail(Code::kInvalid);
    std::memcpy(&attributes, request.data.data(), sizeof attributes);
    const uint32_t known = FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND;
    if (attributes.fsx_xflags & ~known || attributes.fsx_extsize || attributes.fsx_projid) {
      return fail(Code::kNotSupported);
    }
    return (attributes.fsx_xflags & FS_XFLAG_IMMUTABLE ? meta::kFlagImmutable : 0) |
           (attributes.fsx_xflags & FS_XFLAG_APPEND ? meta::kFlagAppend : 0);
  }
  uint32_t flags = 0;
  if (request.data.size() < sizeof flags) return fail(Code::kInvalid);
  std::memcpy(&flags, request.data.data(), sizeof flags);
  if (flags & ~kHonoured) return fail(Code::kNotSupported);
  return flags;
}

}  // namespace

Operation statfs(Door& door, Exchange& exchange) {
  const auto stat = CO_TRY(co_await door.volume().statfs());
  fuse_statfs_out out{};
  out.st.blocks = stat.blocks;
  out.st.bfree = stat.free_blocks;
  out.st.bavail = stat.available_blocks;
  out.st.files = stat.inodes;
  out.st.ffree = stat.free_inodes;
  out.st.bsize = static_cast<uint32_t>(stat.block_bytes);
  out.st.frsize = static_cast<uint32_t>(stat.block_bytes);
  out.st.namelen = stat.max_name_bytes;
  co_return exchange.answer(out);
}

Operation sync_filesystem(Door& door, Exchange&) {
  CO_TRY(co_await door.volume().sync_all());
  co_return Outcome();
}

Operation ioctl(Door& door, Exchange& exchange) {
  const uint32_t command = exchange.request.op<fuse_ioctl_in>().cmd;
  switch (command) {
    case FS_IOC_GETFLAGS:
    case kGetFlags32: {
      const auto attr = CO_TRY(co_await door.volume().getattr(inode_of(exchange)));
      co_return answer_flags(exchange, attr.flags & kHonoured);
    }
    case FS_IOC_FSGETXATTR: {
      const auto attr = CO_TRY(co_await door.volume().getattr(inode_of(exchange)));
      co_return answer_xflags(exchange, attr.flags);
    }
    case FS_IOC_SETFLAGS:
    case kSetFlags32:
    case FS_IOC_FSSETXATTR: {
      vfs::Change change;
      change.attributes.flags = CO_TRY(wanted_flags(exchange.request));
      const auto who = door.credentials(exchange.request);
      CO_TRY(co_await door.volume().setattr(who, inode_of(exchange), change, nullptr));
      co_return exchange.answer(fuse_ioctl_out{});
    }
    default:
      co_return Code::kNotTerminal;
  }
}

Operation destroy(Door&, Exchange&) { co_return Outcome(); }

// No call of the volume can be cancelled yet, and the kernel lets an interrupted request run to its end, so this only
// has to be taken off the queue.
Operation interrupt(Door&, Exchange&) { co_return Outcome::none(); }

Operation unsupported(Door&, Exchange&) { co_return Code::kNotImplemented; }

}  // namespace firn::fuse::ops
