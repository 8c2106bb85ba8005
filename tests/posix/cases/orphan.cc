// Files without a name: unlinked while open, and O_TMPFILE.
#include <sys/mman.h>

#include "fs.h"

namespace firn::posix {
namespace {

std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

CASE(kBoth, "orphan/unlinked_file_works") {
  for (const size_t bytes : {size_t{0}, size_t{10}, size_t{100000}}) {
    const Row row(std::to_string(bytes));
    spit("f", repeat('o', bytes));
    const int fd = OK(open("f", O_RDWR));
    const ino_t inode = look(fd).st_ino;
    OK(unlink("f"));
    FAILS(ENOENT, open("f", O_RDONLY));
    EQ(0, look(fd).st_nlink);
    EQ(bytes, look(fd).st_size);
    EQ(inode, look(fd).st_ino);
    EQ(repeat('o', bytes), read_at(fd, 0, bytes + 10));
    EQ(4, OK(pwrite(fd, "more", 4, 200000)));
    EQ(200004, look(fd).st_size);
    OK(ftruncate(fd, 50));
    EQ(50, look(fd).st_size);
    OK(fchmod(fd, 0600));
    OK(fsync(fd));
    const timespec times[2] = {{1, 0}, {2, 0}};
    OK(futimens(fd, times));
    EQ(2, look(fd).st_mtim.tv_sec);
    EQ(0600u, look(fd).st_mode & 07777);
    OK(fallocate(fd, 0, 0, 100000));
    EQ(100000, look(fd).st_size);
    OK(close(fd));
    HOLDS(list_names().empty());
  }
}

CASE(kBoth, "orphan/name_reused") {
  spit("f", "old");
  const int old = OK(open("f", O_RDWR));
  OK(unlink("f"));
  spit("f", "new");
  HOLDS(look(old).st_ino != look("f").st_ino);
  EQ("old", read_at(old, 0, 10));
  EQ(3, pwrite(old, "OLD", 3, 0));
  EQ("new", slurp("f"));
}

CASE(kBoth, "orphan/reopen_through_proc") {
  spit("f", "content");
  const int fd = OK(open("f", O_RDONLY));
  OK(unlink("f"));
  const int again = OK(open(proc_path(fd).c_str(), O_RDWR));
  EQ("content", read_at(again, 0, 10));
  EQ(1, pwrite(again, "C", 1, 0));
  EQ("Content", read_at(fd, 0, 10));
  OK(close(fd));
  EQ("Content", read_at(again, 0, 10));
}

// A file that lost its last name stays nameless.
CASE(kBoth, "orphan/cannot_be_linked") {
  spit("f", "x");
  const int fd = OK(open("f", O_RDWR));
  OK(unlink("f"));
  FAILS(Errors(ENOENT, EXDEV), linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "g", AT_SYMLINK_FOLLOW));
}

CASE(kBoth, "orphan/open_by_another_process") {
  spit("f", "content");
  int pipes[2];
  OK(pipe(pipes));
  const pid_t child = start([&] {
    const int fd = OK(open("f", O_RDONLY));
    EQ(1, write(pipes[1], "r", 1));
    while (exists("f")) usleep(1000);
    EQ("content", read_at(fd, 0, 10));
  });
  char byte;
  EQ(1, read(pipes[0], &byte, 1));
  OK(unlink("f"));
  join(child);
}

CASE(kBoth, "orphan/mapped_after_close") {
  spit("f", repeat('m', 8192));
  const int fd = OK(open("f", O_RDWR));
  char* const map = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (!HOLDS(map != MAP_FAILED)) return;
  OK(close(fd));
  OK(unlink("f"));
  EQ('m', map[5000]);
  map[5000] = 'M';
  OK(msync(map, 8192, MS_SYNC));
  EQ('M', map[5000]);
  OK(munmap(map, 8192));
}

CASE(kBoth, "orphan/many") {
  std::vector<int> fds;
  for (int i = 0; i < 300; ++i) {
    const int fd = OK(open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
    OK(unlink("f"));
    EQ(4, pwrite(fd, &i, 4, 0));
    fds.push_back(fd);
  }
  for (int i = 0; i < 300; ++i) {
    int got = -1;
    EQ(4, pread(fds[static_cast<size_t>(i)], &got, 4, 0));
    EQ(i, got);
  }
}

CASE(kBoth, "tmpfile/life") {
  umask(027);
  const int fd = OK(open(".", O_TMPFILE | O_RDWR, 0666));
  EQ(0, look(fd).st_nlink);
  EQ(0640u, look(fd).st_mode & 07777);
  EQ(geteuid(), look(fd).st_uid);
  HOLDS(list_names().empty());
  EQ(7, write(fd, "content", 7));
  EQ("content", read_at(fd, 0, 10));
  OK(linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  EQ(1, look(fd).st_nlink);
  EQ("content", slurp("named"));
  EQ(1, pwrite(fd, "C", 1, 0));
  OK(close(fd));
  EQ("Content", slurp("named"));
  EQ(7, size_of("named"));
}

CASE(kBoth, "tmpfile/large_then_linked") {
  const int fd = OK(open(".", O_TMPFILE | O_RDWR, 0644));
  const std::string data = repeat('t', 1 << 20);
  EQ(data.size(), write(fd, data.data(), data.size()));
  OK(linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "a", AT_SYMLINK_FOLLOW));
  OK(linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
  EQ(2, look(fd).st_nlink);
  OK(close(fd));
  HOLDS(slurp("a") == data);
  OK(unlink("a"));
  HOLDS(slurp("b") == data);
}

CASE(kBoth, "tmpfile/exclusive_stays_nameless") {
  const int fd = OK(open(".", O_TMPFILE | O_EXCL | O_RDWR, 0644));
  FAILS(ENOENT, linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  HOLDS(!exists("named"));
}

CASE(kBoth, "tmpfile/errors") {
  spit("f");
  FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY, 0644));
  FAILS(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0644));
  FAILS(ENOENT, open("missing", O_TMPFILE | O_RDWR, 0644));
  const int fd = OK(open(".", O_TMPFILE | O_RDWR, 0644));
  FAILS(EEXIST, linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
}

CASE(kUser, "tmpfile/needs_write") {
  OK(mkdir("d", 0555));
  FAILS(EACCES, open("d", O_TMPFILE | O_RDWR, 0644));
  OK(close(OK(open(".", O_TMPFILE | O_RDWR, 0))));
}

// The usual way to replace a file without a moment of half of it.
CASE(kBoth, "tmpfile/replace_by_rename") {
  spit("f", "old");
  const int fd = OK(open(".", O_TMPFILE | O_RDWR, 0644));
  EQ(3, write(fd, "new", 3));
  OK(fsync(fd));
  OK(linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, "f.tmp", AT_SYMLINK_FOLLOW));
  OK(rename("f.tmp", "f"));
  EQ("new", slurp("f"));
}

}  // namespace
}  // namespace firn::posix
