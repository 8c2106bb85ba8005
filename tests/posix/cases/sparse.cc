// Holes: sparse files, SEEK_HOLE and SEEK_DATA, fallocate.
#include <linux/falloc.h>

#include "fs.h"

namespace firn::posix {
namespace {

constexpr off_t kKiB = 1 << 10, kMiB = 1 << 20, kTiB = off_t{1} << 40;

int make_file(const std::string& content) {
  spit("f", content);
  return OK(open("f", O_RDWR));
}

CASE(kBoth, "sparse/terabytes") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  for (const off_t at : {off_t{0}, 100 * kKiB, 5 * kMiB, kTiB, 4 * kTiB, 8 * kTiB - 4}) {
    const Row row(std::to_string(at));
    EQ(4, OK(pwrite(fd, "here", 4, at)));
    EQ("here", read_at(fd, at, 4));
    EQ(at + 4, look(fd).st_size);
    EQ(std::string(100, '\0'),
       read_at(fd, at / 2 + 4096, 100).substr(0, at < 100000 ? 0 : 100) + std::string(at < 100000 ? 100 : 0, '\0'));
  }
  HOLDS(look("f").st_blocks * 512 < 100 * kMiB);
  EQ("here", read_at(fd, 0, 4));
  EQ("here", read_at(fd, kTiB, 4));
  OK(fsync(fd));
  OK(close(fd));
  const int again = OK(open("f", O_RDONLY));
  EQ("here", read_at(again, 8 * kTiB - 4, 10));
  EQ("here", read_at(again, 4 * kTiB, 4));
}

CASE(kBoth, "sparse/hole_at_start") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  EQ(3, pwrite(fd, "end", 3, 10 * kMiB));
  HOLDS(look(fd).st_blocks * 512 < kMiB);
  EQ(std::string(1000, '\0'), read_at(fd, 5 * kMiB, 1000));
}

CASE(kBoth, "seek/set_cur_end") {
  const int fd = make_file("0123456789");
  EQ(4, lseek(fd, 4, SEEK_SET));
  EQ(6, lseek(fd, 2, SEEK_CUR));
  EQ(8, lseek(fd, -2, SEEK_END));
  EQ(110, lseek(fd, 100, SEEK_END));
  EQ(10, look(fd).st_size);
  FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
  FAILS(EINVAL, lseek(fd, -11, SEEK_END));
  FAILS(EINVAL, lseek(fd, 0, 77));
  EQ(110, lseek(fd, 0, SEEK_CUR));
  char byte;
  EQ(0, read(fd, &byte, 1));
  EQ(1, write(fd, "x", 1));
  EQ(111, look(fd).st_size);
}

CASE(kBoth, "seek/hole_and_data") {
  for (const size_t bytes : {size_t{1}, size_t{10}, size_t{5000}, size_t{200000}}) {
    const Row row(std::to_string(bytes));
    const int fd = make_file(repeat('d', bytes));
    const off_t end = static_cast<off_t>(bytes);
    EQ(0, lseek(fd, 0, SEEK_DATA));
    EQ(end, lseek(fd, 0, SEEK_HOLE));
    EQ(end - 1, lseek(fd, end - 1, SEEK_DATA));
    FAILS(ENXIO, lseek(fd, end, SEEK_DATA));
    FAILS(ENXIO, lseek(fd, end, SEEK_HOLE));
    FAILS(ENXIO, lseek(fd, -1, SEEK_DATA));
  }
  const int empty = make_file("");
  FAILS(ENXIO, lseek(empty, 0, SEEK_DATA));
  FAILS(ENXIO, lseek(empty, 0, SEEK_HOLE));
}

// A file system may report less hole than there is, but no data in a hole's place, and no hole over data.
CASE(kBoth, "seek/sparse_file") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  const std::string block = repeat('d', 65536);
  OK(ftruncate(fd, 16 * kMiB));
  EQ(65536, pwrite(fd, block.data(), block.size(), 4 * kMiB));
  EQ(65536, pwrite(fd, block.data(), block.size(), 12 * kMiB));
  EQ(0, lseek(fd, 0, SEEK_HOLE));
  EQ(4 * kMiB, lseek(fd, 0, SEEK_DATA));
  EQ(4 * kMiB + 65536, lseek(fd, 4 * kMiB, SEEK_HOLE));
  EQ(12 * kMiB, lseek(fd, 4 * kMiB + 65536, SEEK_DATA));
  EQ(12 * kMiB + 65536, lseek(fd, 12 * kMiB + 100, SEEK_HOLE));
  FAILS(ENXIO, lseek(fd, 12 * kMiB + 65536, SEEK_DATA));
  EQ(5 * kMiB, lseek(fd, 5 * kMiB, SEEK_HOLE));
}

int allocate(int fd, int mode, off_t offset, off_t length) { return fallocate(fd, mode, offset, length); }

CASE(kBoth, "fallocate/plain") {
  for (const size_t bytes : {size_t{0}, size_t{100}, size_t{300000}}) {
    const Row row(std::to_string(bytes));
    const std::string content = repeat('p', bytes);
    const int fd = make_file(content);
    OK(allocate(fd, 0, 0, kMiB));
    EQ(kMiB, look(fd).st_size);
    HOLDS(read_at(fd, 0, bytes) == content);
    EQ(std::string(100, '\0'), read_at(fd, kMiB - 100, 200));
    HOLDS(look(fd).st_blocks * 512 >= kMiB);
    OK(allocate(fd, 0, 10, 10));
    EQ(kMiB, look(fd).st_size);
  }
}

CASE(kBoth, "fallocate/keep_size") {
  for (const size_t bytes : {size_t{0}, size_t{7}, size_t{300000}}) {
    const Row row(std::to_string(bytes));
    const int fd = make_file(repeat('k', bytes));
    OK(allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * kMiB));
    EQ(bytes, look(fd).st_size);
    EQ(repeat('k', bytes), read_at(fd, 0, bytes + 10));
  }
}

CASE(kBoth, "fallocate/punch") {
  struct PunchRow {
    size_t bytes;
    off_t offset, length;
  };
  for (const PunchRow& row :
       {PunchRow{100, 10, 20}, PunchRow{100, 90, 1000}, PunchRow{100, 0, 100}, PunchRow{10000, 4096, 4096},
        PunchRow{10000, 1, 9998}, PunchRow{300000, 65536, 65536}, PunchRow{300000, 100, 250000},
        PunchRow{300000, 299999, 5 * kMiB}, PunchRow{100, 5000, 10}, PunchRow{5 << 20, kMiB + 1, 3 * kMiB}}) {
    const Row name(std::to_string(row.bytes) + " " + std::to_string(row.offset) + "+" + std::to_string(row.length));
    std::string content = repeat('p', row.bytes);
    const int fd = make_file(content);
    OK(allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, row.offset, row.length));
    for (size_t i = static_cast<size_t>(row.offset); i < content.size(); ++i) {
      if (static_cast<off_t>(i) < row.offset + row.length) content[i] = '\0';
    }
    EQ(row.bytes, look(fd).st_size);
    HOLDS(read_at(fd, 0, row.bytes + 10) == content);
    close(fd);
    HOLDS(slurp("f") == content);
  }
}

CASE(kBoth, "fallocate/punch_frees") {
  const int fd = make_file(repeat('p', 4 << 20));
  OK(fsync(fd));
  const blkcnt_t before = look(fd).st_blocks;
  OK(allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kMiB, 2 * kMiB));
  HOLDS(look(fd).st_blocks <= before - kMiB / 512);
  EQ(kMiB, lseek(fd, 0, SEEK_HOLE));
  EQ(3 * kMiB, lseek(fd, kMiB, SEEK_DATA));
}

CASE(kBoth, "fallocate/zero_range") {
  for (const size_t bytes : {size_t{1000}, size_t{300000}}) {
    for (const int mode : {FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE}) {
      const Row row(std::to_string(bytes) + " " + std::to_string(mode));
      const int fd = make_file(repeat('z', bytes));
      const int result = allocate(fd, mode, 500, 400000);
      if (result != 0) {
        EQ(EOPNOTSUPP, errno);  // tmpfs
        EQ(repeat('z', bytes), slurp("f"));
        continue;
      }
      const bool keep = (mode & FALLOC_FL_KEEP_SIZE) != 0;
      EQ(keep ? bytes : 400500, look(fd).st_size);
      EQ(repeat('z', 500) + std::string(500, '\0'), read_at(fd, 0, 1000));
    }
  }
}

// Where a mode is not supported it says so and changes nothing; where it is, it does what it says.
CASE(kBoth, "fallocate/collapse_and_insert") {
  for (const int mode : {FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE}) {
    const Row row(std::to_string(mode));
    const std::string content = repeat('a', 65536) + repeat('b', 65536) + repeat('c', 65536);
    const int fd = make_file(content);
    const bool collapse = mode == FALLOC_FL_COLLAPSE_RANGE;
    if (allocate(fd, mode, 65536, 65536) != 0) {
      EQ(EOPNOTSUPP, errno);
      HOLDS(slurp("f") == content);
    } else {
      HOLDS(slurp("f") ==
            repeat('a', 65536) + (collapse ? "" : std::string(65536, '\0') + repeat('b', 65536)) + repeat('c', 65536));
    }
  }
}

CASE(kBoth, "fallocate/errors") {
  const int fd = make_file("content");
  FAILS(EINVAL, allocate(fd, 0, 0, 0));
  FAILS(EINVAL, allocate(fd, 0, -1, 10));
  FAILS(EINVAL, allocate(fd, 0, 0, -1));
  FAILS(EFBIG, allocate(fd, 0, 0x7fffffffffffffff, 10));
  FAILS(Errors(EOPNOTSUPP, EINVAL), allocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4));
  FAILS(Errors(EOPNOTSUPP, EINVAL), allocate(fd, 0x400000, 0, 4));
  FAILS(EBADF, allocate(OK(open("f", O_RDONLY)), 0, 0, 10));
  FAILS(Errors(EISDIR, EBADF), allocate(OK(open(".", O_RDONLY)), 0, 0, 10));
  EQ("content", slurp("f"));
}

CASE(kBoth, "fallocate/posix_fallocate") {
  const int fd = make_file("content");
  EQ(0, posix_fallocate(fd, 0, 100000));
  EQ(100000, look(fd).st_size);
  EQ("content", read_at(fd, 0, 7));
  EQ(EINVAL, posix_fallocate(fd, 0, 0));
}

// Allocating more than there is fails and leaves the file as it was.
CASE(kBoth, "fallocate/no_space") {
  const int fd = make_file("content");
  // More than any file system here holds in one file: less would take the disk's last block away from the other cases.
  FAILS(Errors(ENOSPC, EFBIG), allocate(fd, 0, 0, 1024 * kTiB));
  OK(ftruncate(fd, 7));
  EQ("content", slurp("f"));
  EQ(1, write(fd, "C", 1));
}

}  // namespace
}  // namespace firn::posix
