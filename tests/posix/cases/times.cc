// Which times change, exactly: of the object and of its directories, for every call.
#include <sys/xattr.h>
#include <time.h>

#include <functional>

#include "fs.h"

namespace firn::posix {
namespace {

struct Watch {
  const char* path;
  const char* changes;  // of "amc"
};

struct TimesRow {
  const char* name;
  void (*change)();
  std::vector<Watch> watches;  // paths before the change
};

constexpr timespec kOld{1000000000, 123};

// d (with f, sub, link -> f, full/x) and e (with g) before each row.
void lay_out() {
  OK(mkdir("d", 0755));
  OK(mkdir("e", 0755));
  spit("d/f", "content");
  spit("d/large", repeat('l', 300000));
  spit("e/g", "other");
  OK(mkdir("d/sub", 0755));
  OK(mkdir("d/full", 0755));
  spit("d/full/x");
  OK(symlink("f", "d/link"));
  OK(link("d/f", "e/hard"));
}

std::string changed(const struct stat& before, const struct stat& after) {
  const auto differ = [](timespec a, timespec b) { return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec; };
  std::string text;
  if (differ(before.st_atim, after.st_atim)) text += 'a';
  if (differ(before.st_mtim, after.st_mtim)) text += 'm';
  if (differ(before.st_ctim, after.st_ctim)) text += 'c';
  return text;
}

void check_row(const TimesRow& row) {
  const Row name(row.name);
  lay_out();
  std::vector<int> fds;
  for (const Watch& watch : row.watches) {
    const timespec old[2] = {kOld, kOld};
    OK(utimensat(AT_FDCWD, watch.path, old, AT_SYMLINK_NOFOLLOW));
    fds.push_back(OK(open(watch.path, O_PATH | O_NOFOLLOW)));
  }
  std::vector<struct stat> before;
  for (const int fd : fds) before.push_back(look(fd));
  tick();
  row.change();
  for (size_t i = 0; i < fds.size(); ++i) {
    const Row watched(row.watches[i].path);
    EQ(row.watches[i].changes, changed(before[i], look(fds[i])));
    close(fds[i]);
  }
  remove_tree("d");
  remove_tree("e");
}

void check(const std::vector<TimesRow>& table) {
  for (const TimesRow& row : table) check_row(row);
}

CASE(kBoth, "times/names") {
  check({
      {"create", [] { OK(open("d/new", O_CREAT | O_WRONLY, 0644)); }, {{"d", "mc"}, {"d/f", ""}}},
      {"open existing with O_CREAT", [] { OK(open("d/f", O_CREAT | O_WRONLY, 0644)); }, {{"d", ""}, {"d/f", ""}}},
      {"mkdir", [] { OK(mkdir("d/new", 0755)); }, {{"d", "mc"}}},
      {"mkfifo", [] { OK(mkfifo("d/new", 0644)); }, {{"d", "mc"}}},
      {"mknod", [] { OK(mknod("d/new", S_IFREG | 0644, 0)); }, {{"d", "mc"}}},
      {"symlink", [] { OK(symlink("x", "d/new")); }, {{"d", "mc"}}},
      {"link", [] { OK(link("d/f", "e/new")); }, {{"d", ""}, {"e", "mc"}, {"d/f", "c"}}},
      {"unlink", [] { OK(unlink("e/hard")); }, {{"e", "mc"}, {"d/f", "c"}, {"d", ""}}},
      {"unlink last", [] { OK(unlink("e/g")); }, {{"e", "mc"}, {"e/g", "c"}}},
      {"unlink symlink", [] { OK(unlink("d/link")); }, {{"d", "mc"}, {"d/f", ""}}},
      {"rmdir", [] { OK(rmdir("d/sub")); }, {{"d", "mc"}}},
      {"O_TMPFILE", [] { OK(open("d", O_TMPFILE | O_RDWR, 0644)); }, {{"d", ""}}},
  });
}

CASE(kBoth, "times/rename") {
  check({
      {"same directory", [] { OK(rename("d/f", "d/h")); }, {{"d", "mc"}, {"d/f", "c"}}},
      {"across", [] { OK(rename("d/f", "e/h")); }, {{"d", "mc"}, {"e", "mc"}, {"d/f", "c"}}},
      {"over", [] { OK(rename("d/f", "e/g")); }, {{"d", "mc"}, {"e", "mc"}, {"d/f", "c"}, {"e/g", "c"}}},
      {"directory across", [] { OK(rename("d/sub", "e/sub")); }, {{"d", "mc"}, {"e", "mc"}, {"d/sub", "c"}}},
      {"same file", [] { OK(rename("d/f", "e/hard")); }, {{"d", ""}, {"e", ""}, {"d/f", ""}}},
      {"exchange",
       [] { OK(renameat2(AT_FDCWD, "d/f", AT_FDCWD, "e/g", RENAME_EXCHANGE)); },
       {{"d", "mc"}, {"e", "mc"}, {"d/f", "c"}, {"e/g", "c"}}},
  });
}

CASE(kBoth, "times/data") {
  check({
      {"write", [] { EQ(1, write(OK(open("d/f", O_WRONLY)), "x", 1)); }, {{"d", ""}, {"d/f", "mc"}}},
      {"write large", [] { EQ(1, write(OK(open("d/large", O_WRONLY)), "x", 1)); }, {{"d/large", "mc"}}},
      {"write nothing", [] { EQ(0, write(OK(open("d/f", O_WRONLY)), "x", 0)); }, {{"d/f", ""}}},
      {"write, seen after close",
       [] {
         const int fd = OK(open("d/f", O_WRONLY));
         EQ(1, pwrite(fd, "x", 1, 90000));
         OK(close(fd));
       },
       {{"d/f", "mc"}}},
      {"open for writing", [] { OK(open("d/f", O_RDWR)); }, {{"d/f", ""}}},
      {"open and close for writing", [] { OK(close(OK(open("d/f", O_RDWR)))); }, {{"d/f", ""}}},
      {"fsync", [] { OK(fsync(OK(open("d/f", O_RDWR)))); }, {{"d/f", ""}}},
      {"O_TRUNC", [] { OK(open("d/f", O_WRONLY | O_TRUNC)); }, {{"d/f", "mc"}, {"d", ""}}},
      {"truncate down", [] { OK(truncate("d/f", 1)); }, {{"d/f", "mc"}, {"d", ""}}},
      {"truncate up", [] { OK(truncate("d/f", 100000)); }, {{"d/f", "mc"}}},
      {"truncate to the same size", [] { OK(truncate("d/f", 7)); }, {{"d/f", "mc"}}},
      {"ftruncate", [] { OK(ftruncate(OK(open("d/f", O_WRONLY)), 1)); }, {{"d/f", "mc"}}},
      {"ftruncate to the same size", [] { OK(ftruncate(OK(open("d/f", O_WRONLY)), 7)); }, {{"d/f", "mc"}}},
      {"write by another name", [] { EQ(1, write(OK(open("e/hard", O_WRONLY)), "x", 1)); }, {{"d/f", "mc"}, {"e", ""}}},
  });
}

CASE(kBoth, "times/attributes") {
  check({
      {"chmod", [] { OK(chmod("d/f", 0600)); }, {{"d/f", "c"}, {"d", ""}}},
      {"chmod same", [] { OK(chmod("d/f", 0644)); }, {{"d/f", "c"}}},
      {"fchmod", [] { OK(fchmod(OK(open("d/f", O_RDONLY)), 0600)); }, {{"d/f", "c"}}},
      {"chmod directory", [] { OK(chmod("d", 0700)); }, {{"d", "c"}}},
      {"chown same", [] { OK(chown("d/f", geteuid(), getegid())); }, {{"d/f", "c"}, {"d", ""}}},
      {"lchown", [] { OK(lchown("d/link", geteuid(), getegid())); }, {{"d/link", "c"}, {"d/f", ""}}},
      {"setxattr", [] { OK(setxattr("d/f", "user.x", "v", 1, 0)); }, {{"d/f", "c"}, {"d", ""}}},
      {"utimensat", [] { OK(utimensat(AT_FDCWD, "d/f", nullptr, 0)); }, {{"d/f", "amc"}, {"d", ""}}},
  });
}

CASE(kBoth, "times/looking_changes_nothing") {
  check({
      {"stat", [] { look("d/f"); }, {{"d", ""}, {"d/f", ""}}},
      {"access", [] { OK(access("d/f", R_OK)); }, {{"d", ""}, {"d/f", ""}}},
      {"open for reading", [] { OK(close(OK(open("d/f", O_RDONLY)))); }, {{"d", ""}, {"d/f", ""}}},
      {"open through link", [] { OK(access("d/link", R_OK)); }, {{"d", ""}, {"d/f", ""}}},
      {"getxattr", [] { FAILS(ENODATA, getxattr("d/f", "user.x", nullptr, 0)); }, {{"d/f", ""}}},
      {"chdir",
       [] {
         OK(chdir("d"));
         OK(chdir(".."));
       },
       {{"d", ""}}},
  });
}

CASE(kBoth, "times/failures_change_nothing") {
  check({
      {"create exclusive",
       [] { FAILS(EEXIST, open("d/f", O_CREAT | O_EXCL | O_WRONLY, 0644)); },
       {{"d", ""}, {"d/f", ""}}},
      {"mkdir", [] { FAILS(EEXIST, mkdir("d/sub", 0755)); }, {{"d", ""}, {"d/sub", ""}}},
      {"mkfifo", [] { FAILS(EEXIST, mkfifo("d/f", 0755)); }, {{"d", ""}, {"d/f", ""}}},
      {"symlink", [] { FAILS(EEXIST, symlink("x", "d/f")); }, {{"d", ""}, {"d/f", ""}}},
      {"link", [] { FAILS(EEXIST, link("d/f", "e/g")); }, {{"d", ""}, {"e", ""}, {"d/f", ""}, {"e/g", ""}}},
      {"link directory", [] { FAILS(EPERM, link("d/sub", "e/new")); }, {{"e", ""}, {"d/sub", ""}}},
      {"unlink missing", [] { FAILS(ENOENT, unlink("d/missing")); }, {{"d", ""}}},
      {"unlink directory", [] { FAILS(Errors(EISDIR, EPERM), unlink("d/sub")); }, {{"d", ""}, {"d/sub", ""}}},
      {"rmdir full", [] { FAILS(Errors(ENOTEMPTY, EEXIST), rmdir("d/full")); }, {{"d", ""}, {"d/full", ""}}},
      {"rename over full",
       [] { FAILS(Errors(ENOTEMPTY, EEXIST), rename("d/sub", "d/full")); },
       {{"d", ""}, {"d/sub", ""}, {"d/full", ""}}},
      {"rename file over directory",
       [] { FAILS(EISDIR, rename("d/f", "d/sub")); },
       {{"d", ""}, {"d/f", ""}, {"d/sub", ""}}},
      {"rename into itself", [] { FAILS(EINVAL, rename("d/sub", "d/sub/x")); }, {{"d", ""}, {"d/sub", ""}}},
      {"truncate negative", [] { FAILS(EINVAL, truncate("d/f", -1)); }, {{"d/f", ""}}},
      {"write to reader", [] { FAILS(EBADF, write(OK(open("d/f", O_RDONLY)), "x", 1)); }, {{"d/f", ""}}},
      {"setxattr replace", [] { FAILS(ENODATA, setxattr("d/f", "user.x", "", 0, XATTR_REPLACE)); }, {{"d/f", ""}}},
      {"removexattr", [] { FAILS(ENODATA, removexattr("d/f", "user.x")); }, {{"d/f", ""}}},
  });
}

CASE(kUser, "times/refused_changes_nothing") {
  check({
      {"create",
       [] {
         OK(chmod("d/sub", 0555));
         FAILS(EACCES, open("d/sub/new", O_CREAT | O_WRONLY, 0644));
       },
       {{"d", ""}, {"d/sub", "c"}}},
      {"chown", [] { FAILS(EPERM, chown("d/f", 0, 0)); }, {{"d/f", ""}}},
  });
}

// Access times, as relatime has them: they move when they were not newer than the modification.
CASE(kBoth, "times/atime_read") {
  check({
      {"read", [] { EQ("content", slurp("d/f")); }, {{"d", ""}, {"d/f", "a"}}},
      {"read large", [] { EQ(300000, slurp("d/large").size()); }, {{"d/large", "a"}}},
      {"O_NOATIME",
       [] {
         char byte;
         EQ(1, read(OK(open("d/f", O_RDONLY | O_NOATIME)), &byte, 1));
       },
       {{"d/f", ""}}},
  });
}

CASE(kBoth, "times/atime_readdir") {
  check({{"readdir", [] { list_names("d"); }, {{"d", "a"}, {"d/f", ""}}}});
}

CASE(kBoth, "times/atime_readlink") {
  check({{"readlink",
          [] {
            char text[8];
            EQ(1, readlink("d/link", text, 8));
          },
          {{"d/link", "a"}, {"d", ""}}}});
}

// A new object's times are its creation's, and not before its directory's.
CASE(kBoth, "times/of_new_objects") {
  for (const Kind kind : kinds()) {
    const Row row(name_of(kind));
    timespec before{}, after{};
    clock_gettime(CLOCK_REALTIME, &before);
    make(kind, "node");
    clock_gettime(CLOCK_REALTIME, &after);
    const struct stat st = look("node");
    for (const timespec& time : {st.st_atim, st.st_mtim, st.st_ctim}) {
      const double at = static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
      HOLDS(at >= static_cast<double>(before.tv_sec) + 1e-9 * static_cast<double>(before.tv_nsec) - 0.02);
      HOLDS(at <= static_cast<double>(after.tv_sec) + 1e-9 * static_cast<double>(after.tv_nsec) + 0.001);
    }
    HOLDS(drop("node"));
  }
}

// Time does not jump when a file that was written is closed, or looked at later.
CASE(kBoth, "times/stable_over_close") {
  for (const size_t bytes : {size_t{0}, size_t{10}, size_t{4096}, size_t{100000}, size_t{3} << 20}) {
    const Row row(std::to_string(bytes));
    const int fd = OK(open("f", O_CREAT | O_TRUNC | O_RDWR, 0644));
    const std::string data = repeat('d', bytes);
    EQ(bytes, write(fd, data.data(), bytes));
    const struct stat before = look(fd);
    tick();
    OK(close(fd));
    EQ("", changed(before, look("f")));
    tick();
    EQ("", changed(before, look("f")));
    OK(close(OK(open("f", O_RDONLY))));
    EQ("", changed(before, look("f")));
  }
}

}  // namespace
}  // namespace firn::posix
