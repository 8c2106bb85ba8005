#include "fuse/session_info.h"

#include <array>

#include "fuse/door.h"
#include "fuse/protocol.h"

namespace firn::fuse {
namespace {

struct Names {
  std::array<std::string_view, kOpcodeSlots> names;
  constexpr Names() : names{} {
    names[FUSE_LOOKUP] = "LOOKUP";
    names[FUSE_FORGET] = "FORGET";
    names[FUSE_GETATTR] = "GETATTR";
    names[FUSE_SETATTR] = "SETATTR";
    names[FUSE_READLINK] = "READLINK";
    names[FUSE_SYMLINK] = "SYMLINK";
    names[FUSE_MKNOD] = "MKNOD";
    names[FUSE_MKDIR] = "MKDIR";
    names[FUSE_UNLINK] = "UNLINK";
    names[FUSE_RMDIR] = "RMDIR";
    names[FUSE_RENAME] = "RENAME";
    names[FUSE_LINK] = "LINK";
    names[FUSE_OPEN] = "OPEN";
    names[FUSE_READ] = "READ";
    names[FUSE_WRITE] = "WRITE";
    names[FUSE_STATFS] = "STATFS";
    names[FUSE_RELEASE] = "RELEASE";
    names[FUSE_FSYNC] = "FSYNC";
    names[FUSE_SETXATTR] = "SETXATTR";
    names[FUSE_GETXATTR] = "GETXATTR";
    names[FUSE_LISTXATTR] = "LISTXATTR";
    names[FUSE_REMOVEXATTR] = "REMOVEXATTR";
    names[FUSE_FLUSH] = "FLUSH";
    names[FUSE_INIT] = "INIT";
    names[FUSE_OPENDIR] = "OPENDIR";
    names[FUSE_READDIR] = "READDIR";
    names[FUSE_RELEASEDIR] = "RELEASEDIR";
    names[FUSE_FSYNCDIR] = "FSYNCDIR";
    names[FUSE_GETLK] = "GETLK";
    names[FUSE_SETLK] = "SETLK";
    names[FUSE_SETLKW] = "SETLKW";
    names[FUSE_ACCESS] = "ACCESS";
    names[FUSE_CREATE] = "CREATE";
    names[FUSE_INTERRUPT] = "INTERRUPT";
    names[FUSE_BMAP] = "BMAP";
    names[FUSE_DESTROY] = "DESTROY";
    names[FUSE_IOCTL] = "IOCTL";
    names[FUSE_POLL] = "POLL";
    names[FUSE_BATCH_FORGET] = "BATCH_FORGET";
    names[FUSE_FALLOCATE] = "FALLOCATE";
    names[FUSE_READDIRPLUS] = "READDIRPLUS";
    names[FUSE_RENAME2] = "RENAME2";
    names[FUSE_LSEEK] = "LSEEK";
    names[FUSE_COPY_FILE_RANGE] = "COPY_FILE_RANGE";
    names[FUSE_SYNCFS] = "SYNCFS";
    names[FUSE_TMPFILE] = "TMPFILE";
    names[kOpStatx] = "STATX";
    names[kOpCopyFileRange64] = "COPY_FILE_RANGE_64";
  }
};
constexpr Names kNames;

}  // namespace

std::string_view opcode_name(uint32_t opcode) {
  return opcode < kOpcodeSlots ? kNames.names[opcode] : std::string_view();
}

}  // namespace firn::fuse
