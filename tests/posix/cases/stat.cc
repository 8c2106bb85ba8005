// stat, statx and statfs.
#include <sys/statvfs.h>
#include <time.h>

#include "fs.h"

namespace firn::posix {
namespace {

struct statx look_x(const char* path, int flags = AT_SYMLINK_NOFOLLOW) {
  struct statx stx{};
  OK(statx(AT_FDCWD, path, flags, STATX_ALL, &stx));
  return stx;
}

CASE(kBoth, "stat/agree") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "node");
    const struct stat st = look("node");
    const struct statx stx = look_x("node");
    EQ(st.st_ino, stx.stx_ino);
    EQ(st.st_mode, stx.stx_mode);
    EQ(st.st_nlink, stx.stx_nlink);
    EQ(st.st_uid, stx.stx_uid);
    EQ(st.st_gid, stx.stx_gid);
    EQ(st.st_size, stx.stx_size);
    EQ(st.st_blocks, stx.stx_blocks);
    EQ(st.st_mtim.tv_nsec, stx.stx_mtime.tv_nsec);
    EQ(st.st_ctim.tv_nsec, stx.stx_ctime.tv_nsec);
    EQ(STATX_BASIC_STATS, stx.stx_mask & STATX_BASIC_STATS);
    const int fd = OK(open("node", O_PATH | O_NOFOLLOW));
    EQ(st.st_ino, look(fd).st_ino);
    EQ(look(".").st_dev, st.st_dev);
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "stat/distinct_inodes") {
  std::vector<ino_t> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "f" + std::to_string(i);
    spit(name);
    const ino_t inode = look(name).st_ino;
    for (const ino_t other : seen) HOLDS(other != inode);
    seen.push_back(inode);
  }
}

CASE(kBoth, "stat/birth_time") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    timespec before{};
    clock_gettime(CLOCK_REALTIME_COARSE, &before);
    make(kind, "node");
    const struct statx born = look_x("node");
    if (!HOLDS((born.stx_mask & STATX_BTIME) != 0)) return;
    HOLDS(born.stx_btime.tv_sec >= before.tv_sec - 1 && born.stx_btime.tv_sec <= before.tv_sec + 30);
    const timespec old[2] = {{5, 5}, {6, 6}};
    OK(utimensat(AT_FDCWD, "node", old, AT_SYMLINK_NOFOLLOW));
    OK(rename("node", "renamed"));
    if (kind == Kind::kFile) spit("renamed", "content");
    const struct statx later = look_x("renamed");
    EQ(born.stx_btime.tv_sec, later.stx_btime.tv_sec);
    EQ(born.stx_btime.tv_nsec, later.stx_btime.tv_nsec);
    HOLDS(drop("renamed"));
  }
}

CASE(kBoth, "stat/sizes_while_open") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  off_t size = 0;
  for (const size_t step : {1u, 100u, 4000u, 60000u, 1000000u}) {
    const std::string data = repeat('s', step);
    EQ(step, write(fd, data.data(), step));
    size += static_cast<off_t>(step);
    EQ(size, size_of("f"));
    EQ(size, look(fd).st_size);
    EQ(size, look_x("f").stx_size);
  }
  OK(close(fd));
  EQ(size, size_of("f"));
  HOLDS(look("f").st_blocks * 512 >= size / 2);
}

CASE(kBoth, "stat/blocks_grow_and_shrink") {
  spit("f", repeat('b', 1 << 20));
  const int fd = OK(open("f", O_RDWR));
  OK(fsync(fd));
  HOLDS(look("f").st_blocks >= (1 << 20) / 512);
  OK(ftruncate(fd, 0));
  EQ(0, look("f").st_blocks);
  HOLDS(look("f").st_blksize > 0);
}

CASE(kBoth, "stat/link_counts_of_directories") {
  EQ(2, nlink_of("."));
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  EQ(4, nlink_of("."));
  OK(mkdir("a/c", 0755));
  EQ(4, nlink_of("."));
  EQ(3, nlink_of("a"));
  spit("a/f");
  EQ(3, nlink_of("a"));
  OK(rename("a/c", "d"));
  EQ(2, nlink_of("a"));
  EQ(5, nlink_of("."));
  OK(rename("d", "b"));
  EQ(4, nlink_of("."));
  OK(rmdir("b"));
  EQ(3, nlink_of("."));
}

// Another process that keeps looking does not make anyone remember an older size, time or content.
CASE(kBoth, "stat/looked_at_while_closing") {
  spit("f", "x");
  const pid_t watcher = start([] {
    struct stat st{};
    while (!exists("done")) stat("f", &st);
  });
  for (size_t i = 1; i <= 400; ++i) {
    const size_t bytes = i % 3 == 0 ? 70000 + i : i;
    spit("f", repeat('w', bytes));
    if (!EQ(bytes, size_of("f"))) break;
    EQ(bytes, slurp("f").size());
    const timespec old[2] = {{5, 0}, {6, 0}};
    OK(utimensat(AT_FDCWD, "f", old, 0));
    if (!EQ(6, look("f").st_mtim.tv_sec)) break;
  }
  spit("done");
  join(watcher);
}

CASE(kBoth, "stat/statx_sync_flags") {
  spit("f", "abc");
  for (const int flags : {AT_STATX_SYNC_AS_STAT, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC}) {
    EQ(3, look_x("f", flags).stx_size);
  }
  struct statx stx{};
  FAILS(EINVAL, statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &stx));
}

CASE(kBoth, "stat/statfs") {
  struct statvfs fs{};
  OK(statvfs(".", &fs));
  HOLDS(fs.f_bsize > 0 && fs.f_blocks > 0);
  HOLDS(fs.f_bfree <= fs.f_blocks && fs.f_bavail <= fs.f_bfree);
  EQ(255, fs.f_namemax);
  struct statvfs again{};
  OK(fstatvfs(OK(open(".", O_RDONLY)), &again));
  EQ(fs.f_bsize, again.f_bsize);
  EQ(fs.f_blocks, again.f_blocks);
}

CASE(kBoth, "stat/pathconf") {
  EQ(255, pathconf(".", _PC_NAME_MAX));
  HOLDS(pathconf(".", _PC_LINK_MAX) >= 1);
  EQ(1, pathconf(".", _PC_CHOWN_RESTRICTED));
  EQ(1, pathconf(".", _PC_NO_TRUNC));
}

}  // namespace
}  // namespace firn::posix
