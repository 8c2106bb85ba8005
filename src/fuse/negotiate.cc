#include "fuse/negotiate.h"

#include <algorithm>

namespace firn::fuse {
namespace {

// What this door asks of every kernel that has it. Not here, for a reason:
//  WRITEBACK_CACHE excludes passthrough, and its dirty pages would hide sizes from the other doors;
//  POSIX_LOCKS and FLOCK_LOCKS: the kernel keeps locks better than we could;
//  AUTO_INVAL_DATA: EXPLICIT_INVAL_DATA replaces it, every foreign change is notified;
//  HANDLE_KILLPRIV: V2 replaces it.
constexpr uint64_t kAlwaysWanted = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_EXPORT_SUPPORT | FUSE_BIG_WRITES |
                                   FUSE_DONT_MASK | FUSE_HAS_IOCTL_DIR | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
                                   FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_ABORT_ERROR |
                                   FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_EXPLICIT_INVAL_DATA |
                                   FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT | kInitCreateSuppGroup |
                                   FUSE_HAS_EXPIRE_ONLY | kInitDirectIoAllowMmap;

uint64_t wanted_flags(const Wanted& wanted) {
  uint64_t flags = kAlwaysWanted;
  if (wanted.passthrough) flags |= kInitPassthrough;
  if (wanted.io_uring) flags |= kInitOverIoUring;
  return flags;
}

Agreed agree(const fuse_init_in& in, const Wanted& wanted) {
  Agreed agreed;
  agreed.minor = std::min(in.minor, kProtocolMinor);
  agreed.kernel_flags = in.flags;
  if (in.flags & FUSE_INIT_EXT) agreed.kernel_flags |= uint64_t{in.flags2} << 32;
  agreed.flags = agreed.kernel_flags & wanted_flags(wanted);
  const uint32_t write_bytes = std::clamp(wanted.max_write / kPageBytes * kPageBytes, kMinWriteBytes, kMaxWriteBytes);
  // Without MAX_PAGES a request has at most 32 pages.
  agreed.max_write = agreed.has(FUSE_MAX_PAGES) ? write_bytes : std::min(write_bytes, 32 * kPageBytes);
  agreed.passthrough = agreed.has(kInitPassthrough);
  agreed.io_uring = agreed.has(kInitOverIoUring);
  agreed.setxattr_ext = agreed.has(FUSE_SETXATTR_EXT);
  agreed.posix_acl = agreed.has(FUSE_POSIX_ACL);
  return agreed;
}

}  // namespace

InitAnswer negotiate(const fuse_init_in& in, const Wanted& wanted) {
  InitAnswer answer;
  answer.out.major = kProtocolMajor;
  answer.out.minor = kProtocolMinor;
  if (in.major > kProtocolMajor) {
    answer.again = true;
    return answer;
  }
  if (in.major < kProtocolMajor || in.minor < kOldestMinor) {
    answer.too_old = true;
    return answer;
  }
  answer.agreed = agree(in, wanted);
  answer.out.max_readahead = std::min(in.max_readahead, wanted.readahead);
  answer.out.flags = static_cast<uint32_t>(answer.agreed.flags);
  answer.out.flags2 = static_cast<uint32_t>(answer.agreed.flags >> 32);
  answer.out.max_background = kMaxBackground;
  answer.out.congestion_threshold = kMaxBackground * 3 / 4;
  answer.out.max_write = answer.agreed.max_write;
  answer.out.max_pages = static_cast<uint16_t>(answer.agreed.max_write / kPageBytes);
  answer.out.time_gran = 1;
  // The backing files lie on a plain file system: one layer below ours.
  answer.out.max_stack_depth = answer.agreed.passthrough ? 1 : 0;
  return answer;
}

}  // namespace firn::fuse
