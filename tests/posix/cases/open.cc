// open: the flags.
#include <sys/socket.h>
#include <sys/un.h>

#include "fs.h"

namespace firn::posix {
namespace {

int shut(int fd) { return fd < 0 ? fd : close(fd); }

// What each kind of thing says to each way of opening it.
struct OpenRow {
  Kind kind;
  int flags;
  int wanted;
};

CASE(kBoth, "open/kind_by_flags") {
  const OpenRow table[] = {
      {Kind::kFile, O_RDONLY, 0},
      {Kind::kFile, O_WRONLY, 0},
      {Kind::kFile, O_RDWR, 0},
      {Kind::kFile, O_RDONLY | O_DIRECTORY, ENOTDIR},
      {Kind::kFile, O_RDONLY | O_NOFOLLOW, 0},
      {Kind::kFile, O_PATH, 0},
      {Kind::kFile, O_CREAT | O_EXCL | O_RDWR, EEXIST},
      {Kind::kFile, O_CREAT | O_RDWR, 0},
      {Kind::kDirectory, O_RDONLY, 0},
      {Kind::kDirectory, O_RDONLY | O_DIRECTORY, 0},
      {Kind::kDirectory, O_WRONLY, EISDIR},
      {Kind::kDirectory, O_RDWR, EISDIR},
      {Kind::kDirectory, O_RDONLY | O_CREAT, EISDIR},
      {Kind::kDirectory, O_WRONLY | O_TRUNC, EISDIR},
      {Kind::kDirectory, O_RDONLY | O_TRUNC, EISDIR},
      {Kind::kDirectory, O_RDONLY | O_CREAT | O_EXCL, EEXIST},
      {Kind::kDirectory, O_PATH | O_DIRECTORY, 0},
      {Kind::kSymlink, O_RDONLY, ENOENT},
      {Kind::kSymlink, O_RDONLY | O_NOFOLLOW, ELOOP},
      {Kind::kSymlink, O_WRONLY | O_NOFOLLOW, ELOOP},
      {Kind::kSymlink, O_PATH | O_NOFOLLOW, 0},
      {Kind::kSymlink, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, ENOTDIR},
      {Kind::kSymlink, O_CREAT | O_EXCL | O_RDWR, EEXIST},
      {Kind::kFifo, O_RDONLY | O_NONBLOCK, 0},
      {Kind::kFifo, O_WRONLY | O_NONBLOCK, ENXIO},
      {Kind::kFifo, O_RDWR | O_NONBLOCK, 0},
      {Kind::kFifo, O_RDONLY | O_DIRECTORY, ENOTDIR},
      {Kind::kSocket, O_RDONLY, ENXIO},
      {Kind::kSocket, O_WRONLY, ENXIO},
      {Kind::kSocket, O_PATH, 0},
  };
  for (const OpenRow& row : table) {
    const Row name(std::string(name_of(row.kind)) + " " + octal(static_cast<unsigned>(row.flags)));
    make(row.kind, "node");
    GIVES(row.wanted, shut(open("node", row.flags, 0644)));
    HOLDS(drop("node"));
  }
}

CASE(kBoth, "open/mode_and_umask") {
  for (const mode_t mask : {0u, 022u, 077u, 0777u}) {
    umask(mask);
    for (const mode_t mode : {0777u, 0644u, 0600u, 0u, 04711u, 02755u, 01777u}) {
      const Row row(octal(mask) + "/" + octal(mode));
      OK(shut(open("f", O_CREAT | O_EXCL | O_WRONLY, mode)));
      EQ(mode & ~mask, mode_of("f"));
      OK(unlink("f"));
    }
  }
}

// The mode given to O_CREAT does not limit the descriptor that the creating open returns.
CASE(kBoth, "open/create_unwritable") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0));
  EQ(4, OK(write(fd, "data", 4)));
  EQ("data", read_at(fd, 0, 10));
  OK(close(fd));
  EQ(4, size_of("f"));
}

CASE(kBoth, "open/owner") {
  OK(shut(open("f", O_CREAT | O_WRONLY, 0644)));
  const struct stat st = look("f");
  EQ(geteuid(), st.st_uid);
  EQ(getegid(), st.st_gid);
  EQ(1, st.st_nlink);
  EQ(0, st.st_size);
  EQ(0, st.st_blocks);
}

CASE(kBoth, "open/create_keeps_existing") {
  spit("f", "content", 0640);
  OK(shut(open("f", O_CREAT | O_RDWR, 0777)));
  EQ("content", slurp("f"));
  EQ(0640u, mode_of("f"));
}

CASE(kBoth, "open/trunc") {
  spit("f", "content");
  OK(shut(open("f", O_RDWR)));
  EQ(7, size_of("f"));
  OK(shut(open("f", O_WRONLY | O_TRUNC)));
  EQ(0, size_of("f"));
  spit("big", repeat('b', 3 << 20));
  OK(shut(open("big", O_RDWR | O_CREAT | O_TRUNC, 0644)));
  EQ(0, size_of("big"));
  EQ("", slurp("big"));
}

CASE(kBoth, "open/trunc_while_open") {
  const int other = OK(open("f", O_CREAT | O_RDWR, 0644));
  EQ(6, write(other, "before", 6));
  OK(shut(open("f", O_WRONLY | O_TRUNC)));
  EQ(0, look(other).st_size);
  EQ("", read_at(other, 0, 10));
  EQ(2, pwrite(other, "xy", 2, 4));
  EQ(std::string("\0\0\0\0xy", 6), slurp("f"));
  OK(close(other));
}

CASE(kBoth, "open/access_mode") {
  spit("f", "content");
  char byte = 0;
  const int reader = OK(open("f", O_RDONLY));
  FAILS(EBADF, write(reader, "x", 1));
  FAILS(Errors(EINVAL, EBADF), ftruncate(reader, 0));
  const int writer = OK(open("f", O_WRONLY));
  FAILS(EBADF, read(writer, &byte, 1));
  const int path = OK(open("f", O_PATH));
  FAILS(EBADF, read(path, &byte, 1));
  FAILS(EBADF, write(path, "x", 1));
  FAILS(EBADF, fchmod(path, 0600));
  EQ(7, look(path).st_size);
  const int directory = OK(open(".", O_RDONLY));
  FAILS(EISDIR, read(directory, &byte, 1));
  EQ("content", slurp("f"));
}

CASE(kBoth, "open/exclusive_does_not_follow") {
  OK(symlink("target", "dangling"));
  FAILS(EEXIST, open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
  HOLDS(!exists("target"));
  OK(shut(open("dangling", O_CREAT | O_WRONLY, 0644)));
  HOLDS(exists("target"));
  HOLDS(S_ISLNK(look("dangling").st_mode));
}

CASE(kBoth, "open/openat") {
  OK(mkdir("d", 0755));
  spit("f");
  const int d = OK(open("d", O_RDONLY | O_DIRECTORY));
  const int f = OK(open("f", O_RDONLY));
  OK(shut(openat(d, "inside", O_CREAT | O_WRONLY, 0644)));
  HOLDS(exists("d/inside"));
  FAILS(ENOTDIR, openat(f, "x", O_RDONLY));
  FAILS(EBADF, openat(-1, "x", O_RDONLY));
  OK(shut(openat(d, "../f", O_RDONLY)));
}

CASE(kBoth, "open/descriptor_flags") {
  const int fd = OK(open("f", O_CREAT | O_RDWR | O_APPEND | O_NONBLOCK, 0644));
  EQ(O_RDWR | O_APPEND | O_NONBLOCK, fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
  OK(fcntl(fd, F_SETFL, 0));
  EQ(0, fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK));
}

// Every refused way of opening, by permission bits, as the owner.
CASE(kUser, "open/own_permissions") {
  spit("f");
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Row row(octal(bits << 6));
    OK(chmod("f", bits << 6));
    GIVES((bits & 4) != 0 ? 0 : EACCES, shut(open("f", O_RDONLY)));
    GIVES((bits & 2) != 0 ? 0 : EACCES, shut(open("f", O_WRONLY)));
    GIVES((bits & 6) == 6 ? 0 : EACCES, shut(open("f", O_RDWR)));
    GIVES((bits & 6) == 6 ? 0 : EACCES, shut(open("f", O_RDONLY | O_TRUNC)));
    OK(shut(open("f", O_PATH)));
  }
}

CASE(kUser, "open/create_needs_write_and_search") {
  OK(mkdir("d", 0755));
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Row row(octal(bits << 6));
    OK(chmod("d", bits << 6));
    GIVES((bits & 3) == 3 ? 0 : EACCES, shut(open("d/f", O_CREAT | O_WRONLY, 0644)));
    GIVES((bits & 4) != 0 ? 0 : EACCES, shut(open("d", O_RDONLY)));
    OK(chmod("d", 0755));
    unlink("d/f");
  }
}

CASE(kBoth, "open/large_offset_flags") {
  const int fd = OK(open("f", O_CREAT | O_RDWR | O_LARGEFILE, 0644));
  EQ(off_t{1} << 33, OK(lseek(fd, off_t{1} << 33, SEEK_SET)));
  EQ(1, OK(write(fd, "x", 1)));
  EQ((off_t{1} << 33) + 1, size_of("f"));
}

CASE(kBoth, "open/noatime") {
  spit("f", "x");
  OK(shut(open("f", O_RDONLY | O_NOATIME)));
}

CASE(kRoot, "open/noatime_of_others") {
  spit("f", "x", 0666);
  as(alice(), [] { FAILS(EPERM, open("f", O_RDONLY | O_NOATIME)); });
}

CASE(kBoth, "open/many_descriptors") {
  spit("f", "x");
  int fds[300];
  for (int& fd : fds) fd = OK(open("f", O_RDONLY));
  for (const int fd : fds) EQ("x", read_at(fd, 0, 2));
  for (const int fd : fds) OK(close(fd));
}

}  // namespace
}  // namespace firn::posix
