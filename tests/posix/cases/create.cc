// mkdir, mknod, mkfifo, bind and symlink: what they make.
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "fs.h"

namespace firn::posix {
namespace {

constexpr unsigned kModes[] = {0777, 0755, 0700, 0644, 0111, 0, 01777, 02755, 04755, 07777};

CASE(kBoth, "create/mkdir_mode") {
  for (const unsigned mask : {0u, 022u, 077u, 0777u}) {
    umask(mask);
    for (const unsigned mode : kModes) {
      const Row row(octal(mask) + "/" + octal(mode));
      OK(mkdir("d", mode));
      // Linux ignores the set-id bits of mkdir's mode, and keeps the sticky bit.
      EQ(mode & ~mask & 01777, mode_of("d"));
      EQ(2, nlink_of("d"));
      OK(rmdir("d"));
    }
  }
}

CASE(kBoth, "create/mkfifo_mode") {
  for (const unsigned mask : {0u, 022u, 0777u}) {
    umask(mask);
    for (const unsigned mode : kModes) {
      const Row row(octal(mask) + "/" + octal(mode));
      OK(mkfifo("p", mode));
      EQ(mode & ~mask, mode_of("p"));
      OK(unlink("p"));
    }
  }
}

CASE(kBoth, "create/mknod_regular") {
  umask(022);
  OK(mknod("f", S_IFREG | 0666, 0));
  const struct stat st = look("f");
  HOLDS(S_ISREG(st.st_mode));
  EQ(0644u, st.st_mode & 07777);
  EQ(0, st.st_size);
  OK(mknod("zero_type", 0600, 0));
  HOLDS(S_ISREG(look("zero_type").st_mode));
  spit("f", "usable");
  EQ("usable", slurp("f"));
}

CASE(kBoth, "create/kinds_metadata") {
  umask(0);
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "node");
    const struct stat st = look("node");
    EQ(type_bits(kind), st.st_mode & S_IFMT);
    EQ(geteuid(), st.st_uid);
    EQ(getegid(), st.st_gid);
    EQ(kind == Kind::kDirectory ? 2u : 1u, st.st_nlink);
    HOLDS(st.st_ino != 0);
    if (kind == Kind::kSymlink) EQ(6, st.st_size);
    if (kind != Kind::kSymlink && kind != Kind::kDirectory) EQ(0, st.st_size);
    HOLDS(drop("node"));
    HOLDS(!exists("node"));
  }
}

CASE(kRoot, "create/devices") {
  struct DeviceRow {
    mode_t type;
    unsigned major, minor;
  };
  for (const DeviceRow& row :
       {DeviceRow{S_IFCHR, 1, 3}, DeviceRow{S_IFBLK, 7, 201}, DeviceRow{S_IFCHR, 0, 0}, DeviceRow{S_IFCHR, 511, 255},
        DeviceRow{S_IFBLK, 4095, 1048575}, DeviceRow{S_IFCHR, 255, 256}, DeviceRow{S_IFBLK, 256, 1}}) {
    const Row name(std::to_string(row.major) + ":" + std::to_string(row.minor));
    OK(mknod("dev", row.type | 0600, makedev(row.major, row.minor)));
    const struct stat st = look("dev");
    EQ(row.type, st.st_mode & S_IFMT);
    EQ(row.major, major(st.st_rdev));
    EQ(row.minor, minor(st.st_rdev));
    EQ(0600u, st.st_mode & 07777);
    OK(unlink("dev"));
  }
}

CASE(kRoot, "create/device_works") {
  OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
  const int fd = open("null", O_RDWR);
  if (fd < 0 && errno == EACCES) return skipped("mounted nodev");
  OK(fd);
  EQ(4, OK(write(fd, "gone", 4)));
  EQ("", read_at(fd, 0, 1));
}

CASE(kUser, "create/devices_refused") {
  FAILS(EPERM, mknod("c", S_IFCHR | 0600, makedev(1, 3)));
  FAILS(EPERM, mknod("b", S_IFBLK | 0600, makedev(7, 1)));
  HOLDS(!exists("c") && !exists("b"));
}

CASE(kBoth, "create/mknod_bad_type") {
  FAILS(Errors(EPERM, EINVAL), mknod("d", S_IFDIR | 0755, 0));
  FAILS(EINVAL, mknod("l", S_IFLNK | 0755, 0));
  HOLDS(list_names().empty());
}

CASE(kBoth, "create/fifo_works") {
  OK(mkfifo("p", 0600));
  const pid_t writer = start([] {
    const int fd = OK(open("p", O_WRONLY));
    EQ(5, write(fd, "hello", 5));
  });
  const int fd = OK(open("p", O_RDONLY));
  char text[8] = {};
  EQ(5, OK(read(fd, text, sizeof(text))));
  EQ("hello", text);
  join(writer);
  EQ(0, read(fd, text, sizeof(text)));
}

CASE(kBoth, "create/socket_works") {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, "s");
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  const int listener = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(listener, to, sizeof(address)));
  HOLDS(S_ISSOCK(look("s").st_mode));
  OK(listen(listener, 1));
  const int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(connect(client, to, sizeof(address)));
  const int server = OK(accept(listener, nullptr, nullptr));
  EQ(2, OK(write(client, "hi", 2)));
  char text[4] = {};
  EQ(2, OK(read(server, text, sizeof(text))));
  const int second = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  FAILS(EADDRINUSE, bind(second, to, sizeof(address)));
  OK(rename("s", "t"));
  strcpy(address.sun_path, "t");
  OK(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), to, sizeof(address)));
  OK(unlink("t"));
  FAILS(ENOENT, connect(second, to, sizeof(address)));
}

CASE(kBoth, "create/deep_directories") {
  std::string path = "d";
  for (int depth = 0; depth < 200; ++depth) {
    if (OK(mkdir(path.c_str(), 0755)) != 0) return;
    path += "/d";
  }
  spit(path, "deep");
  EQ("deep", slurp(path));
  OK(rename("d", "e"));
  path[0] = 'e';
  EQ("deep", slurp(path));
}

CASE(kUser, "create/parent_permissions") {
  OK(mkdir("d", 0755));
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Row row(octal(bits << 6));
    const int wanted = (bits & 3) == 3 ? 0 : EACCES;
    OK(chmod("d", bits << 6));
    GIVES(wanted, mkdir("d/dir", 0755));
    GIVES(wanted, mkfifo("d/fifo", 0644));
    GIVES(wanted, mknod("d/node", S_IFREG | 0644, 0));
    GIVES(wanted, symlink("x", "d/link"));
    OK(chmod("d", 0755));
    remove_tree("d");
    OK(mkdir("d", 0755));
  }
}

}  // namespace
}  // namespace firn::posix
