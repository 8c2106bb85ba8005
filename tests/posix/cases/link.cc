// link, unlink and rmdir.
#include <sched.h>
#include <sys/mount.h>

#include "fs.h"

namespace firn::posix {
namespace {

CASE(kBoth, "link/kinds") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "a");
    if (kind == Kind::kDirectory) {
      FAILS(EPERM, link("a", "b"));
      HOLDS(!exists("b"));
    } else {
      OK(link("a", "b"));
      EQ(look("a").st_ino, look("b").st_ino);
      EQ(2, nlink_of("a"));
      EQ(type_bits(kind), look("b").st_mode & S_IFMT);
      OK(unlink("a"));
      EQ(1, nlink_of("b"));
      OK(unlink("b"));
    }
    remove("a");
  }
}

CASE(kBoth, "link/shares_everything") {
  spit("a", "one");
  OK(link("a", "b"));
  spit("b", "changed");
  EQ("changed", slurp("a"));
  OK(chmod("a", 0600));
  EQ(0600u, mode_of("b"));
  OK(truncate("a", 2));
  EQ(2, size_of("b"));
  const timespec times[2] = {{100, 0}, {200, 0}};
  OK(utimensat(AT_FDCWD, "b", times, 0));
  EQ(200, look("a").st_mtim.tv_sec);
}

CASE(kBoth, "link/across_directories") {
  OK(mkdir("d", 0755));
  OK(mkdir("e", 0755));
  spit("d/f", "x");
  OK(link("d/f", "e/g"));
  OK(unlink("d/f"));
  OK(rmdir("d"));
  EQ("x", slurp("e/g"));
}

CASE(kBoth, "link/to_itself") {
  spit("a");
  FAILS(EEXIST, link("a", "a"));
  OK(link("a", "b"));
  FAILS(EEXIST, link("a", "b"));
  EQ(2, nlink_of("a"));
}

CASE(kBoth, "link/many") {
  spit("f", "x");
  for (int i = 0; i < 1000; ++i) {
    if (OK(link("f", ("l" + std::to_string(i)).c_str())) != 0) return;
  }
  EQ(1001, nlink_of("f"));
  for (int i = 0; i < 1000; ++i) unlink(("l" + std::to_string(i)).c_str());
  EQ(1, nlink_of("f"));
}

CASE(kBoth, "link/exdev") {
  const std::string other = other_file_system();
  if (other.empty()) return skipped("no other writable file system");
  const std::string target = other + "/posix_suite." + std::to_string(getpid());
  spit("f", "x");
  OK(mkdir("d", 0755));
  FAILS(EXDEV, link("f", target.c_str()));
  FAILS(EXDEV, rename("f", target.c_str()));
  FAILS(EXDEV, rename("d", target.c_str()));
  HOLDS(!exists(target));
  EQ("x", slurp("f"));
}

CASE(kBoth, "link/flags") {
  spit("f");
  FAILS(EINVAL, linkat(AT_FDCWD, "f", AT_FDCWD, "g", 0x40000000));
  FAILS(EINVAL, unlinkat(AT_FDCWD, "f", 0x40000000));
}

CASE(kUser, "link/parent_permissions") {
  OK(mkdir("d", 0755));
  spit("f");
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Row row(octal(bits << 6));
    OK(chmod("d", bits << 6));
    GIVES((bits & 3) == 3 ? 0 : EACCES, link("f", "d/g"));
    OK(chmod("d", 0755));
    unlink("d/g");
  }
  OK(chmod("f", 0));
  OK(link("f", "own_unreadable"));
}

CASE(kBoth, "unlink/kinds") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "node");
    if (kind == Kind::kDirectory) {
      FAILS(Errors(EISDIR, EPERM), unlink("node"));
      OK(rmdir("node"));
    } else {
      FAILS(ENOTDIR, rmdir("node"));
      OK(unlink("node"));
    }
    HOLDS(!exists("node"));
    FAILS(ENOENT, unlink("node"));
  }
}

CASE(kBoth, "rmdir/not_empty") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    OK(mkdir("d", 0755));
    make(kind, "d/node");
    FAILS(Errors(ENOTEMPTY, EEXIST), rmdir("d"));
    HOLDS(exists("d/node"));
    HOLDS(drop("d/node"));
    OK(rmdir("d"));
  }
}

CASE(kUser, "unlink/parent_permissions") {
  OK(mkdir("d", 0755));
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Row row(octal(bits << 6));
    spit("d/f");
    if (!exists("d/sub")) OK(mkdir("d/sub", 0755));
    OK(chmod("d", bits << 6));
    const int wanted = (bits & 3) == 3 ? 0 : EACCES;
    GIVES(wanted, unlink("d/f"));
    GIVES(wanted, rmdir("d/sub"));
    OK(chmod("d", 0755));
  }
}

// The object's own bits do not matter for removing its name.
CASE(kUser, "unlink/object_permissions") {
  spit("f", "", 0);
  OK(unlink("f"));
  OK(mkdir("d", 0));
  OK(rmdir("d"));
}

CASE(kRoot, "unlink/sticky") {
  struct StickyRow {
    const char* name;
    Identity directory_owner, file_owner;
    int wanted;
  };
  const Identity root{0, 0, {}};
  const StickyRow table[] = {
      {"own file", root, alice(), 0},  {"own directory", alice(), bob(), 0},         {"both", alice(), alice(), 0},
      {"neither", root, bob(), EPERM}, {"neither, same other", bob(), bob(), EPERM},
  };
  for (const StickyRow& row : table) {
    const Row name(row.name);
    OK(mkdir("d", 0755));
    OK(chown("d", row.directory_owner.uid, row.directory_owner.gid));
    OK(chmod("d", 01777));
    spit("d/f", "", 0666);
    OK(mkdir("d/sub", 0777));
    OK(chown("d/f", row.file_owner.uid, row.file_owner.gid));
    OK(chown("d/sub", row.file_owner.uid, row.file_owner.gid));
    as(alice(), [&] {
      GIVES(row.wanted, rename("d/f", "d/g"));
      GIVES(row.wanted, unlink(row.wanted == 0 ? "d/g" : "d/f"));
      GIVES(row.wanted, rmdir("d/sub"));
    });
    HOLDS(remove_tree("d"));
  }
}

CASE(kRoot, "rmdir/mount_point") {
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return skipped("no mount namespace");
  }
  OK(mkdir("d", 0755));
  OK(mount("none", "d", "tmpfs", 0, nullptr));
  FAILS(EBUSY, rmdir("d"));
  FAILS(EBUSY, rename("d", "e"));
  OK(mkdir("e", 0755));
  FAILS(EBUSY, rename("e", "d"));
  OK(umount("d"));
  OK(rmdir("d"));
}

CASE(kBoth, "rmdir/current_directory") {
  OK(mkdir("d", 0755));
  OK(chdir("d"));
  OK(rmdir("../d"));
  FAILS(ENOENT, open("f", O_CREAT | O_WRONLY, 0644));
  FAILS(ENOENT, mkdir("sub", 0755));
  struct stat st{};
  OK(stat(".", &st));
  EQ(0, st.st_nlink);
  char path[4096];
  FAILS(ENOENT, getcwd(path, sizeof(path)) == nullptr ? -1 : 0);
  HOLDS(list_names(".").empty());
  OK(chdir(".."));
}

CASE(kBoth, "rmdir/open_directory") {
  OK(mkdir("d", 0755));
  const int fd = OK(open("d", O_RDONLY | O_DIRECTORY));
  OK(rmdir("d"));
  FAILS(ENOENT, openat(fd, "f", O_CREAT | O_WRONLY, 0644));
  EQ(0, look(fd).st_nlink);
  OK(fsync(fd));
  OK(mkdir("d", 0755));
  HOLDS(look("d").st_ino != look(fd).st_ino);
}

}  // namespace
}  // namespace firn::posix
