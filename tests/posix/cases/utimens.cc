// utimensat and its relatives.
#include <sys/time.h>
#include <time.h>
#include <utime.h>

#include "fs.h"

namespace firn::posix {
namespace {

int set_times(const char* path, timespec atime, timespec mtime, int flags = 0) {
  const timespec times[2] = {atime, mtime};
  return utimensat(AT_FDCWD, path, times, flags);
}

constexpr timespec kNow{0, UTIME_NOW};
constexpr timespec kOmit{0, UTIME_OMIT};

void expect_times(const std::string& path, timespec atime, timespec mtime) {
  const struct stat st = look(path);
  EQ(atime.tv_sec, st.st_atim.tv_sec);
  EQ(atime.tv_nsec, st.st_atim.tv_nsec);
  EQ(mtime.tv_sec, st.st_mtim.tv_sec);
  EQ(mtime.tv_nsec, st.st_mtim.tv_nsec);
}

// Within the last minute.
bool recent(timespec time) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return time.tv_sec <= now.tv_sec && time.tv_sec > now.tv_sec - 60;
}

// Stamps that 34 bits of seconds (ext4) can hold.
constexpr timespec kStamps[] = {
    {0, 0},           {1, 1},           {1, 999999999},         {1234567890, 123456789},  // ordinary
    {-1, 0},          {-1, 500000000},  {-86400 * 365L, 7},     {-2147483647L, 1},  // before 1970, the 32-bit start
    {2147483647L, 9}, {2147483648L, 8}, {4294967295L, 7},       {4294967296L, 999999999},  // 2038, 2106 and after
    {4294967297L, 0}, {7258118400L, 3}, {10413792000L, 250000},                            // 2200, 2300
};

CASE(kBoth, "utimens/range") {
  for (const Kind kind : kinds()) {
    make(kind, "node");
    for (const timespec& stamp : kStamps) {
      const Row row(std::string(name_of(kind)) + " " + std::to_string(stamp.tv_sec));
      const timespec other{stamp.tv_sec / 2, 5};
      OK(set_times("node", stamp, other, AT_SYMLINK_NOFOLLOW));
      expect_times("node", stamp, other);
      OK(set_times("node", other, stamp, AT_SYMLINK_NOFOLLOW));
      expect_times("node", other, stamp);
    }
    HOLDS(drop("node"));
  }
}

// What was read before the times are set does not move them afterwards: not at once, not at the close, not later.
CASE(kBoth, "utimens/after_a_read") {
  const timespec old{1000, 17};
  for (const size_t bytes : {size_t{7}, size_t{300000}}) {
    const Row row(std::to_string(bytes));
    spit("f", repeat('r', bytes));
    tick();
    const int fd = OK(open("f", O_RDONLY));
    char buffer[7];
    EQ(7, read(fd, buffer, sizeof buffer));
    OK(set_times("f", old, old));
    expect_times("f", old, old);
    OK(close(fd));
    expect_times("f", old, old);
    usleep(1'300'000);
    expect_times("f", old, old);
    OK(unlink("f"));
  }
}

CASE(kBoth, "utimens/now_and_omit") {
  const timespec old{1000, 17};
  spit("f");
  OK(set_times("f", old, old));
  OK(set_times("f", kOmit, kNow));
  EQ(1000, look("f").st_atim.tv_sec);
  HOLDS(recent(look("f").st_mtim));
  OK(set_times("f", old, old));
  OK(set_times("f", kNow, kOmit));
  HOLDS(recent(look("f").st_atim));
  EQ(1000, look("f").st_mtim.tv_sec);
  EQ(17, look("f").st_mtim.tv_nsec);
  OK(set_times("f", old, old));
  OK(utimensat(AT_FDCWD, "f", nullptr, 0));
  HOLDS(recent(look("f").st_atim) && recent(look("f").st_mtim));
}

CASE(kBoth, "utimens/omit_both_changes_nothing") {
  spit("f");
  const struct stat before = look("f");
  tick();
  OK(set_times("f", kOmit, kOmit));
  EQ(before.st_ctim.tv_nsec, look("f").st_ctim.tv_nsec);
  EQ(before.st_mtim.tv_nsec, look("f").st_mtim.tv_nsec);
}

CASE(kBoth, "utimens/changes_ctime") {
  spit("f");
  const struct stat before = look("f");
  tick();
  OK(set_times("f", {5, 0}, {6, 0}));
  const struct stat after = look("f");
  HOLDS(after.st_ctim.tv_sec > before.st_ctim.tv_sec || after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
  HOLDS(recent(after.st_ctim));
}

CASE(kBoth, "utimens/errors") {
  spit("f");
  FAILS(EINVAL, set_times("f", {0, 1000000000}, {0, 0}));
  FAILS(EINVAL, set_times("f", {0, 0}, {0, -1}));
  FAILS(EINVAL, set_times("f", {0, 0}, {0, 0}, 0x40000000));
  FAILS(ENOENT, set_times("missing", {0, 0}, {0, 0}));
  FAILS(EBADF, futimens(-1, nullptr));
}

CASE(kBoth, "utimens/symlink") {
  spit("f");
  OK(symlink("f", "link"));
  OK(set_times("f", {10, 0}, {20, 0}));
  OK(set_times("link", {30, 0}, {40, 0}, AT_SYMLINK_NOFOLLOW));
  expect_times("f", {10, 0}, {20, 0});
  EQ(40, look("link").st_mtim.tv_sec);
  OK(set_times("link", {50, 0}, {60, 0}));
  expect_times("f", {50, 0}, {60, 0});
}

CASE(kBoth, "utimens/descriptors") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  const timespec times[2] = {{77, 1}, {88, 2}};
  OK(futimens(fd, times));
  expect_times("f", times[0], times[1]);
  const int reader = OK(open("f", O_RDONLY));
  const timespec again[2] = {{99, 3}, {111, 4}};
  OK(futimens(reader, again));
  expect_times("f", again[0], again[1]);
  const int d = OK(open(".", O_RDONLY));
  OK(futimens(d, times));
  expect_times(".", times[0], times[1]);
  // Survives the close of a descriptor that was open for writing.
  OK(futimens(fd, times));
  OK(close(fd));
  expect_times("f", times[0], times[1]);
}

// Set after a write through the same descriptor, the times stay set.
CASE(kBoth, "utimens/after_write") {
  for (const size_t bytes : {size_t{10}, size_t{300000}}) {
    const Row row(std::to_string(bytes));
    const int fd = OK(open("f", O_CREAT | O_TRUNC | O_RDWR, 0644));
    const std::string data = repeat('w', bytes);
    EQ(bytes, write(fd, data.data(), bytes));
    const timespec times[2] = {{77, 1}, {88, 2}};
    OK(futimens(fd, times));
    OK(close(fd));
    expect_times("f", times[0], times[1]);
    EQ(bytes, size_of("f"));
  }
}

CASE(kBoth, "utimens/old_interfaces") {
  spit("f");
  const utimbuf buffer{12, 34};
  OK(utime("f", &buffer));
  expect_times("f", {12, 0}, {34, 0});
  const timeval values[2] = {{56, 7}, {78, 9}};
  OK(utimes("f", values));
  expect_times("f", {56, 7000}, {78, 9000});
  OK(utime("f", nullptr));
  HOLDS(recent(look("f").st_mtim));
}

CASE(kRoot, "utimens/who_may") {
  spit("own", "", 0);
  OK(chown("own", alice().uid, alice().gid));
  spit("writable", "", 0622);
  spit("readable", "", 0644);
  as(alice(), [] {
    OK(set_times("own", {1, 0}, {2, 0}));
    OK(utimensat(AT_FDCWD, "own", nullptr, 0));
    OK(utimensat(AT_FDCWD, "writable", nullptr, 0));
    OK(set_times("writable", kNow, kNow));
    FAILS(EPERM, set_times("writable", {1, 0}, {2, 0}));
    FAILS(EPERM, set_times("writable", kOmit, kNow));
    FAILS(EPERM, set_times("writable", kNow, kOmit));
    FAILS(EACCES, utimensat(AT_FDCWD, "readable", nullptr, 0));
    FAILS(EACCES, set_times("readable", kNow, kNow));
    FAILS(EPERM, set_times("readable", {1, 0}, {2, 0}));
    OK(set_times("readable", kOmit, kOmit));
  });
}

}  // namespace
}  // namespace firn::posix
