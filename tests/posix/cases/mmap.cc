// Memory maps and their coherence with read and write.
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "fs.h"

namespace firn::posix {
namespace {

constexpr size_t kPage = 4096;

// Maps `bytes` of f, which exists; null (and a failure) when that does not work.
char* map_file(size_t bytes, int protection = PROT_READ | PROT_WRITE, int flags = MAP_SHARED) {
  const int fd = OK(open("f", (protection & PROT_WRITE) != 0 && flags == MAP_SHARED ? O_RDWR : O_RDONLY));
  void* const map = mmap(nullptr, bytes, protection, flags, fd, 0);
  close(fd);
  return HOLDS(map != MAP_FAILED) ? static_cast<char*>(map) : nullptr;
}

CASE(kBoth, "mmap/read") {
  for (const size_t bytes : {size_t{10}, kPage, size_t{100000}, size_t{3} << 20}) {
    const Row row(std::to_string(bytes));
    spit("f", repeat('r', bytes));
    const char* const map = map_file(bytes, PROT_READ);
    if (map == nullptr) return;
    HOLDS(std::string(map, bytes) == repeat('r', bytes));
    // The rest of the last page reads as zeros.
    for (size_t i = bytes; i % kPage != 0; ++i) {
      if (map[i] != 0) {
        EQ(0, map[i]);
        break;
      }
    }
  }
}

CASE(kBoth, "mmap/store_seen_by_read") {
  for (const size_t bytes : {size_t{100}, size_t{200000}}) {
    const Row row(std::to_string(bytes));
    spit("f", repeat('.', bytes));
    char* const map = map_file(bytes);
    if (map == nullptr) return;
    map[bytes / 2] = 'M';
    EQ("M", read_at(OK(open("f", O_RDONLY)), static_cast<off_t>(bytes / 2), 1));
    OK(msync(map, bytes, MS_SYNC));
    OK(munmap(map, bytes));
    EQ('M', slurp("f")[bytes / 2]);
    EQ(bytes, size_of("f"));
  }
}

CASE(kBoth, "mmap/write_seen_by_map") {
  for (const size_t bytes : {size_t{100}, size_t{200000}}) {
    const Row row(std::to_string(bytes));
    spit("f", repeat('.', bytes));
    const char* const map = map_file(bytes, PROT_READ);
    if (map == nullptr) return;
    EQ('.', map[bytes / 2]);
    const int fd = OK(open("f", O_WRONLY));
    EQ(1, pwrite(fd, "W", 1, static_cast<off_t>(bytes / 2)));
    EQ('W', map[bytes / 2]);
    close(fd);
    EQ('W', map[bytes / 2]);
  }
}

CASE(kBoth, "mmap/shared_between_processes") {
  spit("f", repeat('.', 2 * kPage));
  char* const map = map_file(2 * kPage);
  if (map == nullptr) return;
  join(start([] {
    char* const own = map_file(2 * kPage);
    if (own != nullptr) own[kPage + 1] = 'C';
  }));
  EQ('C', map[kPage + 1]);
  map[0] = 'P';
  join(start([] { EQ('P', slurp("f")[0]); }));
}

CASE(kBoth, "mmap/private_stays_private") {
  spit("f", repeat('.', kPage));
  char* const map = map_file(kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  if (map == nullptr) return;
  map[7] = 'X';
  EQ(repeat('.', kPage), slurp("f"));
  EQ('X', map[7]);
}

CASE(kBoth, "mmap/survives_close_and_reopen") {
  spit("f", repeat('.', 100));
  char* const map = map_file(100);
  if (map == nullptr) return;
  OK(munmap(map, 100));
  for (int round = 0; round < 20; ++round) {
    char* const again = map_file(100);
    if (again == nullptr) return;
    EQ(round == 0 ? '.' : 'a' + round - 1, again[50]);
    again[50] = static_cast<char>('a' + round);
    OK(munmap(again, 100));
    EQ('a' + round, slurp("f")[50]);
  }
}

CASE(kBoth, "mmap/create_map_write_close") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  OK(ftruncate(fd, 3 * kPage));
  char* const map = static_cast<char*>(mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (!HOLDS(map != MAP_FAILED)) return;
  memset(map, 'w', 3 * kPage);
  OK(close(fd));
  EQ(repeat('w', 3 * kPage), slurp("f"));
  map[1] = 'x';
  EQ('x', slurp("f")[1]);
  OK(munmap(map, 3 * kPage));
  EQ('x', slurp("f")[1]);
}

sigjmp_buf g_jump;

// True when touching the byte raises SIGBUS.
bool faults(const char* at) {
  signal(SIGBUS, [](int) { siglongjmp(g_jump, 1); });
  if (sigsetjmp(g_jump, 1) != 0) return true;
  *static_cast<const volatile char*>(at);
  return false;
}

CASE(kBoth, "mmap/truncate_under_map") {
  spit("f", repeat('t', 4 * kPage));
  char* const map = map_file(4 * kPage);
  if (map == nullptr) return;
  EQ('t', map[3 * kPage]);
  OK(truncate("f", static_cast<off_t>(kPage) + 10));
  EQ('t', map[kPage + 9]);
  EQ(0, map[kPage + 10]);
  HOLDS(faults(map + 2 * kPage));
  HOLDS(faults(map + 3 * kPage));
  OK(truncate("f", 4 * kPage));
  HOLDS(!faults(map + 3 * kPage));
  EQ(0, map[3 * kPage]);
}

CASE(kBoth, "mmap/beyond_end") {
  spit("f", "short");
  char* const map = map_file(2 * kPage);
  if (map == nullptr) return;
  HOLDS(!faults(map + kPage - 1));
  HOLDS(faults(map + kPage));
  map[100] = 'x';  // beyond the end of the file: not part of it
  OK(munmap(map, 2 * kPage));
  EQ("short", slurp("f"));
  struct statfs fs{};
  OK(statfs(".", &fs));
  if (fs.f_type == TMPFS_MAGIC) return;  // its page cache is all there is, and keeps the byte
  OK(truncate("f", 200));
  EQ(std::string(195, '\0'), slurp("f").substr(5));
}

CASE(kBoth, "mmap/errors") {
  spit("f", repeat('e', kPage));
  const int reader = OK(open("f", O_RDONLY));
  const int writer = OK(open("f", O_WRONLY));
  const int directory = OK(open(".", O_RDONLY));
  const auto map = [](int fd, int protection, int flags) {
    return mmap(nullptr, kPage, protection, flags, fd, 0) == MAP_FAILED ? -1 : 0;
  };
  FAILS(EACCES, map(reader, PROT_READ | PROT_WRITE, MAP_SHARED));
  FAILS(EACCES, map(writer, PROT_READ, MAP_SHARED));
  FAILS(EACCES, map(writer, PROT_READ, MAP_PRIVATE));
  FAILS(Errors(ENODEV, EACCES), map(directory, PROT_READ, MAP_PRIVATE));
  OK(map(reader, PROT_READ | PROT_WRITE, MAP_PRIVATE));
}

CASE(kBoth, "mmap/changes_times") {
  spit("f", repeat('.', kPage));
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  OK(utimensat(AT_FDCWD, "f", old, 0));
  char* const map = map_file(kPage);
  if (map == nullptr) return;
  map[0] = 'x';
  OK(msync(map, kPage, MS_SYNC));
  OK(munmap(map, kPage));
  HOLDS(look("f").st_mtim.tv_sec > 1000);
}

CASE(kBoth, "mmap/rename_and_unlink") {
  spit("f", repeat('.', kPage));
  char* const map = map_file(kPage);
  if (map == nullptr) return;
  OK(rename("f", "g"));
  map[3] = 'x';
  OK(msync(map, kPage, MS_SYNC));
  EQ('x', slurp("g")[3]);
  spit("h", "other");
  OK(rename("h", "g"));
  EQ('x', map[3]);
  EQ("other", slurp("g"));
}

CASE(kBoth, "mmap/sparse_store") {
  const int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
  OK(ftruncate(fd, 64 << 20));
  char* const map = map_file(64 << 20);
  if (map == nullptr) return;
  for (size_t at = 12345; at < (64u << 20); at += 7 << 20) map[at] = 's';
  OK(munmap(map, 64 << 20));
  for (off_t at = 12345; at < (64 << 20); at += 7 << 20) EQ("s", read_at(fd, at, 1));
  HOLDS(look(fd).st_blocks * 512 < 8 << 20);
}

}  // namespace
}  // namespace firn::posix
