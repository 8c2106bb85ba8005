// INIT: what the kernel offers, what we want, what both agree on. Pure functions.
#pragma once

#include <cstdint>

#include "fuse/protocol.h"

namespace firn::fuse {

inline constexpr uint32_t kPageBytes = 4096;
inline constexpr uint32_t kMinWriteBytes = kPageBytes;
inline constexpr uint32_t kDefaultWriteBytes = 1 << 20;
// init_out.max_pages has 16 bits; the kernel's own limit is /proc/sys/fs/fuse/max_pages_limit.
inline constexpr uint32_t kMaxWriteBytes = 65535U * kPageBytes;
inline constexpr uint32_t kDefaultReadaheadBytes = 1 << 20;
inline constexpr uint32_t kMaxReadaheadBytes = 64 << 20;
inline constexpr uint16_t kMaxBackground = 256;  // requests the kernel sends ahead (readahead, async direct I/O)

struct Wanted {
  uint32_t max_write = kDefaultWriteBytes;
  uint32_t readahead = kDefaultReadaheadBytes;  // the kernel's own is raised by readahead.h only
  bool passthrough = false;                     // needs root
  bool io_uring = false;
};

struct Agreed {
  uint32_t minor = 0;
  uint64_t flags = 0;         // those both sides have
  uint64_t kernel_flags = 0;  // what the kernel offered
  uint32_t max_write = kDefaultWriteBytes;
  bool passthrough = false;
  bool io_uring = false;
  bool setxattr_ext = true;
  bool posix_acl = false;

  bool has(uint64_t flag) const { return (flags & flag) != 0; }
};

// How to answer an INIT of `in`. With in.major above ours the kernel sends another INIT after our reply (agreed.minor
// 0).
struct InitAnswer {
  InitOut out{};
  Agreed agreed;
  bool again = false;    // not the last word: the kernel will ask again
  bool too_old = false;  // the kernel's protocol is older than kOldestMinor
};
InitAnswer negotiate(const fuse_init_in& in, const Wanted& wanted);

}  // namespace firn::fuse
