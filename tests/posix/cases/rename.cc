// rename: who may replace whom.
#include "fs.h"

namespace firn::posix {
namespace {

int wanted_for(Kind from, Kind to) {
  if (from == Kind::kDirectory && to != Kind::kDirectory) return ENOTDIR;
  if (from != Kind::kDirectory && to == Kind::kDirectory) return EISDIR;
  return 0;
}

CASE(kBoth, "rename/kind_matrix") {
  for (const bool cross : {false, true}) {
    OK(mkdir("d", 0755));
    const std::string target = cross ? "d/to" : "to";
    for (const Kind from : kinds()) {
      for (const Kind to : kinds()) {
        const Row row(std::string(name_of(from)) + " over " + name_of(to) + (cross ? ", cross" : ""));
        make(from, "from");
        make(to, target);
        const ino_t moving = look("from").st_ino;
        const ino_t standing = look(target).st_ino;
        const int wanted = wanted_for(from, to);
        GIVES(wanted, rename("from", target.c_str()));
        EQ(wanted != 0, exists("from"));
        EQ(wanted == 0 ? moving : standing, look(target).st_ino);
        EQ(wanted == 0 ? type_bits(from) : type_bits(to), look(target).st_mode & S_IFMT);
        remove("from");
        HOLDS(drop(target));
      }
    }
    OK(rmdir("d"));
  }
}

CASE(kBoth, "rename/keeps_metadata") {
  OK(mkdir("d", 0755));
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    make(kind, "from");
    const struct stat before = look("from");
    OK(rename("from", "d/to"));
    const struct stat after = look("d/to");
    HOLDS(!exists("from"));
    EQ(before.st_ino, after.st_ino);
    EQ(before.st_mode, after.st_mode);
    EQ(before.st_nlink, after.st_nlink);
    EQ(before.st_size, after.st_size);
    EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    HOLDS(drop("d/to"));
  }
}

CASE(kBoth, "rename/directory_over_not_empty") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  spit("b/f");
  FAILS(Errors(ENOTEMPTY, EEXIST), rename("a", "b"));
  spit("a/g");
  FAILS(Errors(ENOTEMPTY, EEXIST), rename("a", "b"));
  OK(unlink("b/f"));
  OK(rename("a", "b"));
  HOLDS(exists("b/g"));
}

CASE(kBoth, "rename/into_itself") {
  OK(mkdir("a", 0755));
  OK(mkdir("a/b", 0755));
  OK(mkdir("a/b/c", 0755));
  FAILS(EINVAL, rename("a", "a/x"));
  FAILS(EINVAL, rename("a", "a/b/x"));
  FAILS(EINVAL, rename("a", "a/b/c"));
  FAILS(Errors(ENOTEMPTY, EEXIST), rename("a/b/c", "a"));
  FAILS(Errors(ENOTEMPTY, EEXIST), rename("a/b", "a"));
  HOLDS(exists("a/b/c"));
}

CASE(kBoth, "rename/same_file") {
  spit("f", "x");
  OK(rename("f", "f"));
  OK(link("f", "g"));
  OK(rename("f", "g"));  // two names of one file: nothing happens
  HOLDS(exists("f") && exists("g"));
  EQ(2, nlink_of("f"));
  OK(mkdir("d", 0755));
  OK(rename("d", "d"));
  HOLDS(exists("d"));
}

CASE(kBoth, "rename/replaced_link_count") {
  spit("a", "a");
  spit("b", "b");
  OK(link("b", "c"));
  const int fd = OK(open("b", O_RDONLY));
  OK(rename("a", "b"));
  EQ(1, look(fd).st_nlink);
  EQ("b", slurp("c"));
  OK(rename("b", "c"));
  EQ(0, look(fd).st_nlink);
  EQ("b", read_at(fd, 0, 10));
  EQ("a", slurp("c"));
}

CASE(kBoth, "rename/directory_moves_parent") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("a/d", 0755));
  spit("a/d/f", "x");
  EQ(3, nlink_of("a"));
  EQ(2, nlink_of("b"));
  OK(rename("a/d", "b/e"));
  EQ(2, nlink_of("a"));
  EQ(3, nlink_of("b"));
  EQ(look("b").st_ino, look("b/e/..").st_ino);
  EQ("x", slurp("b/e/f"));
  OK(mkdir("a/empty", 0755));
  OK(rename("b/e", "a/empty"));
  EQ(3, nlink_of("a"));
  EQ(2, nlink_of("b"));
  EQ(look("a").st_ino, look("a/empty/..").st_ino);
}

CASE(kBoth, "rename/open_file_keeps_working") {
  spit("f", "before");
  const int fd = OK(open("f", O_RDWR));
  OK(mkdir("d", 0755));
  OK(rename("f", "d/g"));
  EQ(6, OK(pwrite(fd, "after!", 6, 0)));
  EQ("after!", slurp("d/g"));
  EQ(look(fd).st_ino, look("d/g").st_ino);
}

CASE(kBoth, "rename/over_open_file") {
  spit("old", "old content");
  spit("new", "new");
  const int fd = OK(open("old", O_RDWR));
  OK(rename("new", "old"));
  EQ("new", slurp("old"));
  EQ("old content", read_at(fd, 0, 100));
  EQ(0, look(fd).st_nlink);
  EQ(3, OK(pwrite(fd, "OLD", 3, 0)));
  EQ("OLD content", read_at(fd, 0, 100));
  EQ("new", slurp("old"));
}

CASE(kBoth, "rename/open_directory") {
  OK(mkdir("a", 0755));
  const int fd = OK(open("a", O_RDONLY | O_DIRECTORY));
  OK(mkdir("p", 0755));
  OK(rename("a", "p/b"));
  OK(close(OK(openat(fd, "f", O_CREAT | O_WRONLY, 0644))));
  HOLDS(exists("p/b/f"));
  struct stat st{};
  OK(fstatat(fd, "..", &st, 0));
  EQ(look("p").st_ino, st.st_ino);
}

CASE(kBoth, "rename/current_directory") {
  OK(mkdir("a", 0755));
  OK(chdir("a"));
  OK(rename("../a", "../b"));
  spit("f", "x");
  OK(chdir(".."));
  EQ("x", slurp("b/f"));
}

CASE(kBoth, "rename/long_names") {
  const std::string a = repeat('a', 255), b = repeat('b', 255);
  spit(a, "x");
  OK(rename(a.c_str(), b.c_str()));
  EQ("x", slurp(b));
  FAILS(ENAMETOOLONG, rename(b.c_str(), repeat('c', 256).c_str()));
}

CASE(kUser, "rename/parent_permissions") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  for (unsigned bits = 0; bits < 8; ++bits) {
    const Row row(octal(bits << 6));
    const int wanted = (bits & 3) == 3 ? 0 : EACCES;
    spit("a/f");
    OK(chmod("a", bits << 6));
    GIVES(wanted, rename("a/f", "b/f"));
    OK(chmod("a", 0755));
    spit("a/f");
    OK(chmod("b", bits << 6));
    GIVES(wanted, rename("a/f", "b/f"));
    OK(chmod("b", 0755));
  }
}

// Moving a directory to another parent rewrites its "..", which takes write permission on it.
CASE(kUser, "rename/directory_needs_own_write") {
  OK(mkdir("a", 0755));
  OK(mkdir("b", 0755));
  OK(mkdir("a/d", 0755));
  OK(chmod("a/d", 0555));
  FAILS(EACCES, rename("a/d", "b/d"));
  OK(rename("a/d", "a/e"));
  OK(chmod("a/e", 0755));
  OK(rename("a/e", "b/d"));
}

CASE(kRoot, "rename/sticky_target") {
  struct StickyRow {
    const char* name;
    uid_t directory, target;
    int wanted;
  };
  for (const StickyRow& row :
       {StickyRow{"own target", 0, alice().uid, 0}, StickyRow{"own directory", alice().uid, bob().uid, 0},
        StickyRow{"neither", 0, bob().uid, EPERM}}) {
    for (const bool directories : {false, true}) {
      const Row name(std::string(row.name) + (directories ? ", directories" : ""));
      OK(mkdir("src", 0777));
      OK(mkdir("dst", 0777));
      OK(chown("dst", row.directory, 0));
      OK(chmod("dst", 01777));
      make(directories ? Kind::kDirectory : Kind::kFile, "dst/t");
      OK(chown("dst/t", row.target, 0));
      make(directories ? Kind::kDirectory : Kind::kFile, "src/f");
      OK(chown("src/f", alice().uid, alice().gid));
      as(alice(), [&] { GIVES(row.wanted, rename("src/f", "dst/t")); });
      HOLDS(remove_tree("src"));
      HOLDS(remove_tree("dst"));
    }
  }
}

CASE(kBoth, "rename/chain") {
  spit("n0", "moving");
  for (int i = 0; i < 500; ++i) {
    if (OK(rename(("n" + std::to_string(i)).c_str(), ("n" + std::to_string(i + 1)).c_str())) != 0) return;
  }
  EQ("moving", slurp("n500"));
  EQ(1, list_names().size());
}

// A reader never finds the name missing while writers replace it.
CASE(kBoth, "rename/atomic_replace") {
  spit("f", "0");
  const pid_t writer = start([] {
    for (int i = 0; i < 500; ++i) {
      spit("tmp", std::to_string(i));
      OK(rename("tmp", "f"));
    }
  });
  for (int i = 0; i < 500; ++i) {
    const int fd = OK(open("f", O_RDONLY));
    HOLDS(!read_at(fd, 0, 10).empty());
    close(fd);
  }
  join(writer);
}

}  // namespace
}  // namespace firn::posix
