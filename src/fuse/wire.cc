#include "fuse/wire.h"

#include <dirent.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace firn::fuse {
namespace {

// What st_blksize tells programs to read and write in.
constexpr uint32_t kBlockSize = 4096;
constexpr uint64_t kSectorBytes = 512;

uint64_t sectors(const meta::Attr& attr) { return (attr.allocated_bytes + kSectorBytes - 1) / kSectorBytes; }

StatxTime statx_time(Timestamp time) { return {time.seconds, time.nanoseconds, 0}; }

}  // namespace

uint32_t mode_bits(meta::FileType type) {
  switch (type) {
    case meta::FileType::kRegular:
      return S_IFREG;
    case meta::FileType::kDirectory:
      return S_IFDIR;
    case meta::FileType::kSymlink:
      return S_IFLNK;
    case meta::FileType::kFifo:
      return S_IFIFO;
    case meta::FileType::kSocket:
      return S_IFSOCK;
    case meta::FileType::kCharDevice:
      return S_IFCHR;
    case meta::FileType::kBlockDevice:
      return S_IFBLK;
  }
  return S_IFREG;
}

uint32_t dirent_type(meta::FileType type) { return IFTODT(mode_bits(type)); }

// As new_encode_dev: the minor's low 8 bits, 12 bits of major, the minor's rest.
uint32_t wire_rdev(uint64_t rdev) {
  const unsigned major_number = major(rdev), minor_number = minor(rdev);
  return (minor_number & 0xff) | (major_number << 8) | ((minor_number & ~0xffU) << 12);
}

uint64_t rdev_of_wire(uint32_t rdev) {
  return makedev((rdev & 0xfff00) >> 8, (rdev & 0xff) | ((rdev >> 12) & 0xfff00));
}

fuse_attr wire_attr(const meta::Attr& attr) {
  fuse_attr out{};
  out.ino = attr.inode.value;
  out.size = attr.size;
  out.blocks = sectors(attr);
  // Seconds before 1970 travel as their two's complement.
  out.atime = static_cast<uint64_t>(attr.atime.seconds);
  out.mtime = static_cast<uint64_t>(attr.mtime.seconds);
  out.ctime = static_cast<uint64_t>(attr.ctime.seconds);
  out.atimensec = attr.atime.nanoseconds;
  out.mtimensec = attr.mtime.nanoseconds;
  out.ctimensec = attr.ctime.nanoseconds;
  out.mode = mode_bits(attr.type) | (attr.mode & 07777);
  out.nlink = attr.nlink;
  out.uid = attr.uid;
  out.gid = attr.gid;
  out.rdev = wire_rdev(attr.rdev);
  out.blksize = kBlockSize;
  return out;
}

fuse_entry_out wire_entry(const Door::Options& options, const meta::Attr& attr) {
  fuse_entry_out out{};
  out.nodeid = attr.inode.value;
  out.generation = 0;  // inode numbers are never reused
  out.entry_valid = options.entry_valid_s;
  out.attr_valid = options.attr_valid_s;
  out.attr = wire_attr(attr);
  return out;
}

fuse_attr_out wire_attr_out(const Door::Options& options, const meta::Attr& attr) {
  fuse_attr_out out{};
  out.attr_valid = options.attr_valid_s;
  out.attr = wire_attr(attr);
  return out;
}

StatxOut wire_statx(const Door::Options& options, const meta::Attr& attr) {
  StatxOut out{};
  out.attr_valid = options.attr_valid_s;
  Statx& stat = out.stat;
  stat.mask = STATX_BASIC_STATS | STATX_BTIME;
  stat.blksize = kBlockSize;
  if (attr.flags & meta::kFlagImmutable) stat.attributes |= STATX_ATTR_IMMUTABLE;
  if (attr.flags & meta::kFlagAppend) stat.attributes |= STATX_ATTR_APPEND;
  stat.attributes_mask = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
  stat.nlink = attr.nlink;
  stat.uid = attr.uid;
  stat.gid = attr.gid;
  stat.mode = static_cast<uint16_t>(mode_bits(attr.type) | (attr.mode & 07777));
  stat.ino = attr.inode.value;
  stat.size = attr.size;
  stat.blocks = sectors(attr);
  stat.atime = statx_time(attr.atime);
  stat.btime = statx_time(attr.btime);
  stat.ctime = statx_time(attr.ctime);
  stat.mtime = statx_time(attr.mtime);
  stat.rdev_major = major(attr.rdev);
  stat.rdev_minor = minor(attr.rdev);
  return out;
}

}  // namespace firn::fuse
