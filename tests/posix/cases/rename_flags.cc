// renameat2: RENAME_NOREPLACE, RENAME_EXCHANGE and flags that are refused.
#include <linux/fs.h>
#include <sys/sysmacros.h>

#include "fs.h"

namespace firn::posix {
namespace {

int rename2(const char* from, const char* to, unsigned flags) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags); }

CASE(kBoth, "rename_flags/noreplace") {
  for (const Kind from : kinds()) {
    make(from, "from");
    for (const Kind to : kinds()) {
      const Row row(std::string(name_of(from)) + " onto " + name_of(to));
      make(to, "to");
      FAILS(EEXIST, rename2("from", "to", RENAME_NOREPLACE));
      HOLDS(exists("from"));
      HOLDS(drop("to"));
    }
    const Row row(name_of(from));
    OK(rename2("from", "to", RENAME_NOREPLACE));
    HOLDS(!exists("from") && exists("to"));
    FAILS(ENOENT, rename2("from", "to", RENAME_NOREPLACE));
    FAILS(EEXIST, rename2("to", "to", RENAME_NOREPLACE));
    HOLDS(drop("to"));
  }
}

CASE(kBoth, "rename_flags/exchange_kinds") {
  OK(mkdir("d", 0755));
  for (const char* other : {"b", "d/b"}) {
    for (const Kind one : kinds()) {
      for (const Kind two : kinds()) {
        const Row row(std::string(name_of(one)) + " with " + name_of(two) + " " + other);
        make(one, "a");
        make(two, other);
        const ino_t first = look("a").st_ino, second = look(other).st_ino;
        OK(rename2("a", other, RENAME_EXCHANGE));
        EQ(second, look("a").st_ino);
        EQ(first, look(other).st_ino);
        EQ(type_bits(two), look("a").st_mode & S_IFMT);
        HOLDS(drop("a") && drop(other));
      }
    }
  }
}

CASE(kBoth, "rename_flags/exchange_directories") {
  OK(mkdir("p", 0755));
  OK(mkdir("q", 0755));
  OK(mkdir("p/a", 0755));
  spit("p/a/in_a");
  spit("q/file");
  OK(rename2("p/a", "q/file", RENAME_EXCHANGE));
  EQ(2, nlink_of("p"));
  EQ(3, nlink_of("q"));
  HOLDS(exists("q/file/in_a"));
  HOLDS(S_ISREG(look("p/a").st_mode));
  EQ(look("q").st_ino, look("q/file/..").st_ino);
  OK(mkdir("p/full", 0755));
  spit("p/full/x");
  OK(rename2("p/full", "q/file", RENAME_EXCHANGE));
  HOLDS(exists("q/file/x") && exists("p/full/in_a"));
}

CASE(kBoth, "rename_flags/exchange_errors") {
  spit("a");
  OK(mkdir("d", 0755));
  OK(mkdir("d/e", 0755));
  FAILS(ENOENT, rename2("a", "missing", RENAME_EXCHANGE));
  FAILS(ENOENT, rename2("missing", "a", RENAME_EXCHANGE));
  FAILS(EINVAL, rename2("d", "d/e", RENAME_EXCHANGE));
  FAILS(EINVAL, rename2("d/e", "d", RENAME_EXCHANGE));
  OK(rename2("a", "a", RENAME_EXCHANGE));
  HOLDS(exists("a") && exists("d/e"));
}

CASE(kBoth, "rename_flags/invalid") {
  spit("a");
  FAILS(EINVAL, rename2("a", "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
  FAILS(EINVAL, rename2("a", "b", RENAME_EXCHANGE | RENAME_WHITEOUT));
  FAILS(EINVAL, rename2("a", "b", 0x80));
  HOLDS(exists("a") && !exists("b"));
}

CASE(kRoot, "rename_flags/whiteout") {
  spit("a", "x");
  const int result = rename2("a", "b", RENAME_WHITEOUT);
  if (result != 0) {
    HOLDS(errno == EINVAL);
    HOLDS(exists("a") && !exists("b"));
    return;
  }
  EQ("x", slurp("b"));
  HOLDS(S_ISCHR(look("a").st_mode));
  EQ(0, look("a").st_rdev);
}

CASE(kRoot, "rename_flags/exchange_sticky") {
  OK(mkdir("d", 0755));
  OK(chmod("d", 01777));
  spit("d/mine");
  spit("d/theirs");
  OK(chown("d/mine", alice().uid, alice().gid));
  OK(chown("d/theirs", bob().uid, bob().gid));
  as(alice(), [] {
    FAILS(EPERM, rename2("d/mine", "d/theirs", RENAME_EXCHANGE));
    FAILS(EPERM, rename2("d/theirs", "d/mine", RENAME_EXCHANGE));
    OK(rename2("d/mine", "d/moved", RENAME_NOREPLACE));
  });
}

}  // namespace
}  // namespace firn::posix
