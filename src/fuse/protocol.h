// The kernel's FUSE protocol, version 7.45 (source: Linux include/uapi/linux/fuse.h). Debian 12's linux/fuse.h is 7.38;
// what came later is defined here under names of our own, so that a newer header does not collide.
//
// Invariants:
//  1. All integers are in host byte order; every structure is a multiple of 8 bytes.
//  2. A request is fuse_in_header, one structure per opcode, then names and data. On /dev/fuse they are one
//     message; over io_uring the three lie in three places (UringRequestHeader and the payload buffer).
#pragma once

#include <linux/fuse.h>
#include <linux/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace firn::fuse {

inline constexpr uint32_t kProtocolMajor = 7;
inline constexpr uint32_t kProtocolMinor = 45;
// Older kernels lack the fields that this door relies on (init_out.max_pages, fuse_entry_out of today's size).
inline constexpr uint32_t kOldestMinor = 31;

// INIT flags above 7.38.
inline constexpr uint64_t kInitCreateSuppGroup = 1ULL << 34;
inline constexpr uint64_t kInitDirectIoAllowMmap = 1ULL << 36;
inline constexpr uint64_t kInitPassthrough = 1ULL << 37;
inline constexpr uint64_t kInitNoExportSupport = 1ULL << 38;
inline constexpr uint64_t kInitHasResend = 1ULL << 39;
inline constexpr uint64_t kInitAllowIdmap = 1ULL << 40;
inline constexpr uint64_t kInitOverIoUring = 1ULL << 41;
inline constexpr uint64_t kInitRequestTimeout = 1ULL << 42;

// Replies to OPEN and CREATE.
inline constexpr uint32_t kOpenPassthrough = 1U << 7;

// Opcodes above 7.38.
inline constexpr uint32_t kOpStatx = 52;
inline constexpr uint32_t kOpCopyFileRange64 = 53;

// Notifications above 7.38.
inline constexpr int32_t kNotifyResend = 7;
inline constexpr int32_t kNotifyIncEpoch = 8;
inline constexpr int32_t kNotifyPrune = 9;

// fuse_ext_header::type: the supplementary groups follow.
inline constexpr uint32_t kExtensionGroups = 32;

// A request that the kernel sends a second time carries this bit in its unique number.
inline constexpr uint64_t kUniqueResend = 1ULL << 63;

// fuse_init_out of 7.43: max_stack_depth and request_timeout took the place of unused words.
struct InitOut {
  uint32_t major, minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint16_t max_background, congestion_threshold;
  uint32_t max_write;
  uint32_t time_gran;
  uint16_t max_pages;
  uint16_t map_alignment;
  uint32_t flags2;
  uint32_t max_stack_depth;
  uint16_t request_timeout;
  uint16_t unused[11];
};
static_assert(sizeof(InitOut) == 64 && sizeof(InitOut) == sizeof(fuse_init_out));
static_assert(offsetof(InitOut, flags2) == offsetof(fuse_init_out, flags2));
static_assert(offsetof(InitOut, max_stack_depth) == 36);
static_assert(offsetof(InitOut, request_timeout) == 40);

// fuse_open_out of 7.40: the padding became the backing id.
struct OpenOut {
  uint64_t fh;
  uint32_t open_flags;
  int32_t backing_id;
};
static_assert(sizeof(OpenOut) == 16 && sizeof(OpenOut) == sizeof(fuse_open_out));

// The argument of kIoctlBackingOpen.
struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};
static_assert(sizeof(BackingMap) == 16);

inline constexpr unsigned long kIoctlClone = _IOR(229, 0, uint32_t);
inline constexpr unsigned long kIoctlBackingOpen = _IOW(229, 1, BackingMap);
inline constexpr unsigned long kIoctlBackingClose = _IOW(229, 2, uint32_t);

struct StatxIn {
  uint32_t getattr_flags;
  uint32_t reserved;
  uint64_t fh;
  uint32_t sx_flags;
  uint32_t sx_mask;
};
static_assert(sizeof(StatxIn) == 24);

struct StatxTime {
  int64_t seconds;
  uint32_t nanoseconds;
  int32_t reserved;
};

struct Statx {
  uint32_t mask;
  uint32_t blksize;
  uint64_t attributes;
  uint32_t nlink, uid, gid;
  uint16_t mode;
  uint16_t spare0;
  uint64_t ino, size, blocks;
  uint64_t attributes_mask;
  StatxTime atime, btime, ctime, mtime;
  uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
  uint64_t spare2[14];
};
static_assert(sizeof(Statx) == 256 && offsetof(Statx, atime) == 64 && offsetof(Statx, rdev_major) == 128);

struct StatxOut {
  uint64_t attr_valid;
  uint32_t attr_valid_nsec;
  uint32_t flags;
  uint64_t spare[2];
  Statx stat;
};
static_assert(sizeof(StatxOut) == 288 && offsetof(StatxOut, stat) == 32);

struct CopyFileRangeOut {
  uint64_t bytes_copied;
};

// Supplementary groups: the header is followed by `count` uint32_t.
struct GroupsHeader {
  uint32_t count;
};

// ---- FUSE over io_uring ----

inline constexpr uint32_t kUringRegister = 1;
inline constexpr uint32_t kUringCommitAndFetch = 2;
inline constexpr size_t kUringHeaderBytes = 128;

struct UringEntryInOut {
  uint64_t flags;
  uint64_t commit_id;
  uint32_t payload_bytes;
  uint32_t padding;
  uint64_t reserved;
};

// The first of an entry's two buffers.
struct UringRequestHeader {
  alignas(8) std::byte in_out[kUringHeaderBytes];  // fuse_in_header, then fuse_out_header
  std::byte op_in[kUringHeaderBytes];              // the opcode's structure
  UringEntryInOut entry;
};
static_assert(sizeof(UringRequestHeader) == 288 && offsetof(UringRequestHeader, entry) == 256);

// Lies in the 80-byte command area of a 128-byte SQE.
struct UringCommand {
  uint64_t flags;
  uint64_t commit_id;
  uint16_t queue;
  uint8_t padding[6];
};
static_assert(sizeof(UringCommand) == 24);

// What the structures that Debian's header has must measure, here as elsewhere.
static_assert(sizeof(fuse_in_header) == 40 && offsetof(fuse_in_header, total_extlen) == 36);
static_assert(sizeof(fuse_out_header) == 16);
static_assert(sizeof(fuse_attr) == 88 && sizeof(fuse_attr_out) == 104 && sizeof(fuse_entry_out) == 128);
static_assert(sizeof(fuse_setattr_in) == 88 && sizeof(fuse_init_in) == 64);
static_assert(sizeof(fuse_dirent) == 24 && sizeof(fuse_direntplus) == 152);
static_assert(sizeof(fuse_write_in) == 40 && sizeof(fuse_read_in) == 40 && sizeof(fuse_setxattr_in) == 16);
static_assert(sizeof(fuse_copy_file_range_in) == 56 && sizeof(fuse_ioctl_in) == 32 && sizeof(fuse_ioctl_out) == 16);

}  // namespace firn::fuse
