// truncate and ftruncate.
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>

#include "fs.h"

namespace firn::posix {
namespace {

constexpr off_t kSizes[] = {
    0,      1,       100,           4095,    4096,          4097,           16384,          65536,         65537,
    131072, 1 << 20, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, off_t{1} << 31, off_t{1} << 32, off_t{1} << 40};

// Every size to every other; what is kept is the old content, what grows is zeros.
CASE(kBoth, "truncate/sizes") {
  const std::string content = repeat('c', 5000);
  for (const bool by_path : {true, false}) {
    for (const off_t from : kSizes) {
      for (const off_t to : kSizes) {
        const Row row(std::to_string(from) + " to " + std::to_string(to));
        spit("f", content);
        const int fd = OK(open("f", O_RDWR));
        OK(ftruncate(fd, from));
        by_path ? OK(truncate("f", to)) : OK(ftruncate(fd, to));
        EQ(to, look(fd).st_size);
        EQ(to, size_of("f"));
        const size_t kept = static_cast<size_t>(std::min({off_t{5000}, from, to}));
        std::string wanted = content.substr(0, kept) + std::string(6000, '\0');
        wanted.resize(static_cast<size_t>(std::min(to, off_t{6000})));
        HOLDS(read_at(fd, 0, 6000) == wanted);
        if (to > 10000) EQ(std::string(10, '\0'), read_at(fd, to - 10, 100));
        close(fd);
      }
    }
  }
}

CASE(kBoth, "truncate/shrunk_bytes_do_not_return") {
  for (const size_t bytes : {size_t{100}, size_t{5000}, size_t{200000}, size_t{5} << 20}) {
    const Row row(std::to_string(bytes));
    spit("f", repeat('s', bytes));
    OK(truncate("f", 10));
    OK(truncate("f", static_cast<off_t>(bytes)));
    const int fd = OK(open("f", O_RDWR));
    EQ("ssssssssss", read_at(fd, 0, 10));
    EQ(std::string(50, '\0'), read_at(fd, 10, 50));
    EQ(std::string(50, '\0'), read_at(fd, static_cast<off_t>(bytes) - 50, 50));
    EQ(1, pwrite(fd, "x", 1, static_cast<off_t>(bytes) + 100));
    EQ(std::string(100, '\0') + "x", read_at(fd, static_cast<off_t>(bytes), 200));
    close(fd);
  }
}

CASE(kBoth, "truncate/errors") {
  spit("f", "content");
  const int fd = OK(open("f", O_RDWR));
  FAILS(EINVAL, truncate("f", -1));
  FAILS(EINVAL, truncate("f", LLONG_MIN));
  FAILS(EINVAL, ftruncate(fd, -1));
  FAILS(EISDIR, truncate(".", 0));
  FAILS(Errors(EINVAL, EBADF), ftruncate(OK(open("f", O_RDONLY)), 0));
  FAILS(EBADF, ftruncate(-1, 0));
  EQ(7, size_of("f"));
}

CASE(kBoth, "truncate/kinds") {
  for (const Kind kind : kinds()) {
    if (kind == Kind::kFile || kind == Kind::kSymlink || kind == Kind::kDirectory) continue;
    const Row row(name_of(kind));
    make(kind, "node");
    FAILS(EINVAL, truncate("node", 0));
    HOLDS(drop("node"));
  }
}

// The largest offset is accepted or refused with EFBIG, never mangled.
CASE(kBoth, "truncate/beyond_maximum") {
  spit("f", "content");
  for (const off_t size : {off_t{LLONG_MAX}, off_t{LLONG_MAX} - 1, off_t{1} << 62}) {
    const Row row(std::to_string(size));
    const int result = truncate("f", size);
    if (result != 0) EQ(EFBIG, errno);
    EQ(result == 0 ? size : 7, size_of("f"));
    OK(truncate("f", 7));
  }
}

CASE(kBoth, "truncate/file_size_limit") {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{100000, 100000};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  OK(ftruncate(fd, 100000));
  FAILS(EFBIG, ftruncate(fd, 100001));
  FAILS(EFBIG, truncate("f", 200000));
  EQ(100000, look(fd).st_size);
  FAILS(EFBIG, pwrite(fd, "x", 1, 100000));
  EQ(5, pwrite(fd, "0123456789", 10, 99995));
  EQ(100000, look(fd).st_size);
  FAILS(EFBIG, fallocate(fd, 0, 0, 100001));
}

CASE(kBoth, "truncate/file_size_signal") {
  const rlimit limit{10, 10};
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  static int signals = 0;
  signal(SIGXFSZ, [](int) { ++signals; });
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  EQ(10, write(fd, "0123456789abc", 13));
  EQ(0, signals);
  FAILS(EFBIG, write(fd, "x", 1));
  EQ(1, signals);
}

CASE(kUser, "truncate/permission") {
  spit("f", "content");
  const int fd = OK(open("f", O_RDWR));
  OK(chmod("f", 0555));
  FAILS(EACCES, truncate("f", 0));
  OK(ftruncate(fd, 3));  // the descriptor's right was settled at open
  EQ(3, size_of("f"));
  OK(chmod("f", 0222));
  OK(truncate("f", 1));
}

CASE(kBoth, "truncate/position_stays") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  EQ(10, write(fd, "0123456789", 10));
  OK(ftruncate(fd, 4));
  EQ(10, lseek(fd, 0, SEEK_CUR));
  EQ(1, write(fd, "x", 1));
  EQ(11, size_of("f"));
  EQ(std::string("0123\0\0\0\0\0\0x", 11), slurp("f"));
}

}  // namespace
}  // namespace firn::posix
