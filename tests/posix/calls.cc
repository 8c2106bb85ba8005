#include "calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace firn::posix {
namespace {

// The calls go around glibc where its attributes would let the compiler reject the bad pointers that tests pass.
long open_read(const char* path) { return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); }
long open_write(const char* path) { return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC); }
long open_create(const char* path) { return open(path, O_WRONLY | O_CREAT | O_EXCL, 0644); }
long open_directory(const char* path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
long do_stat(const char* path) {
  struct stat st;
  return syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0);
}
long do_lstat(const char* path) {
  struct stat st;
  return syscall(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
}
long do_statx(const char* path) {
  struct statx stx;
  return syscall(SYS_statx, AT_FDCWD, path, 0, STATX_ALL, &stx);
}
long do_statfs(const char* path) {
  struct statfs st;
  return syscall(SYS_statfs, path, &st);
}
long do_access(const char* path) { return syscall(SYS_faccessat, AT_FDCWD, path, F_OK); }
long do_chmod(const char* path) { return syscall(SYS_fchmodat, AT_FDCWD, path, 0755); }
long do_chown(const char* path) { return syscall(SYS_fchownat, AT_FDCWD, path, geteuid(), getegid(), 0); }
long do_lchown(const char* path) {
  return syscall(SYS_fchownat, AT_FDCWD, path, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW);
}
long do_truncate(const char* path) { return syscall(SYS_truncate, path, 0L); }
long do_utimens(const char* path) { return syscall(SYS_utimensat, AT_FDCWD, path, nullptr, 0); }
long do_mkdir(const char* path) { return syscall(SYS_mkdirat, AT_FDCWD, path, 0755); }
long do_mkfifo(const char* path) { return syscall(SYS_mknodat, AT_FDCWD, path, S_IFIFO | 0644, 0); }
long do_mknod(const char* path) { return syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 0644, 0); }
long do_symlink(const char* path) { return syscall(SYS_symlinkat, "target", AT_FDCWD, path); }
long do_readlink(const char* path) {
  char target[16];
  return syscall(SYS_readlinkat, AT_FDCWD, path, target, sizeof(target));
}
long link_from(const char* path) { return syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, "linked", 0); }
long link_to(const char* path) { return syscall(SYS_linkat, AT_FDCWD, "source", AT_FDCWD, path, 0); }
long do_unlink(const char* path) { return syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
long do_rmdir(const char* path) { return syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR); }
long rename_from(const char* path) { return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, "renamed", 0); }
long rename_to(const char* path) { return syscall(SYS_renameat2, AT_FDCWD, "source", AT_FDCWD, path, 0); }
long do_chdir(const char* path) { return syscall(SYS_chdir, path); }
long do_getxattr(const char* path) { return syscall(SYS_getxattr, path, "user.none", nullptr, 0); }
long do_setxattr(const char* path) { return syscall(SYS_setxattr, path, "user.x", "v", 1, 0); }
long do_lsetxattr(const char* path) { return syscall(SYS_lsetxattr, path, "user.x", "v", 1, 0); }
long do_removexattr(const char* path) { return syscall(SYS_removexattr, path, "user.x"); }
long do_listxattr(const char* path) { return syscall(SYS_listxattr, path, nullptr, 0); }

}  // namespace

const std::vector<PathCall>& path_calls() {
  static const std::vector<PathCall> calls{
      {"open(O_RDONLY)", open_read, false, true, false},
      {"open(O_WRONLY)", open_write, false, true, true},
      {"open(O_CREAT|O_EXCL)", open_create, true, false, true},
      {"open(O_DIRECTORY)", open_directory, false, true, false},
      {"stat", do_stat, false, true, false},
      {"lstat", do_lstat, false, false, false},
      {"statx", do_statx, false, true, false},
      {"statfs", do_statfs, false, true, false},
      {"access", do_access, false, true, false},
      {"chmod", do_chmod, false, true, true},
      {"chown", do_chown, false, true, true},
      {"lchown", do_lchown, false, false, true},
      {"truncate", do_truncate, false, true, true},
      {"utimensat", do_utimens, false, true, true},
      {"mkdir", do_mkdir, true, false, true},
      {"mkfifo", do_mkfifo, true, false, true},
      {"mknod", do_mknod, true, false, true},
      {"symlink", do_symlink, true, false, true},
      {"readlink", do_readlink, false, false, false},
      {"link(from)", link_from, false, false, true},
      {"link(to)", link_to, true, false, true},
      {"unlink", do_unlink, false, false, true},
      {"rmdir", do_rmdir, false, false, true},
      {"rename(from)", rename_from, false, false, true},
      {"rename(to)", rename_to, false, false, true},
      {"chdir", do_chdir, false, true, false},
      {"getxattr", do_getxattr, false, true, false},
      {"setxattr", do_setxattr, false, true, true},
      {"lsetxattr", do_lsetxattr, false, false, true},
      {"removexattr", do_removexattr, false, true, true},
      {"listxattr", do_listxattr, false, true, false},
  };
  return calls;
}

}  // namespace firn::posix
