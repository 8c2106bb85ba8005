// read and write in all their forms.
#include <limits.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <algorithm>
#include <memory>
#include <random>

#include "fs.h"

namespace firn::posix {
namespace {

int new_file(int flags = 0) { return OK(open("f", O_CREAT | O_TRUNC | O_RDWR | flags, 0644)); }

CASE(kBoth, "data/beyond_end") {
  const int fd = new_file();
  EQ(3, pwrite(fd, "end", 3, 10000));
  EQ(10003, look(fd).st_size);
  EQ(std::string(100, '\0'), read_at(fd, 0, 100));
  EQ("end", read_at(fd, 10000, 100));
  EQ("", read_at(fd, 10003, 100));
  EQ("", read_at(fd, 1 << 20, 100));
  FAILS(EINVAL, pread(fd, nullptr, 0, -1));
  FAILS(EINVAL, pwrite(fd, "x", 1, -1));
}

CASE(kBoth, "data/bad_buffer") {
  const int fd = new_file();
  EQ(7, write(fd, "content", 7));
  FAILS(EFAULT, write(fd, reinterpret_cast<void*>(8), 10));
  EQ(7, look(fd).st_size);
  FAILS(EFAULT, pread(fd, reinterpret_cast<void*>(8), 7, 0));
  FAILS(EBADF, write(-1, "x", 1));
}

CASE(kBoth, "data/position_shared_by_dup") {
  const int fd = new_file();
  const int copy = OK(dup(fd));
  const int other = OK(open("f", O_RDWR));
  EQ(3, write(fd, "abc", 3));
  EQ(3, write(copy, "def", 3));
  EQ("abcdef", slurp("f"));
  EQ(6, lseek(fd, 0, SEEK_CUR));
  EQ(0, lseek(other, 0, SEEK_CUR));
  join(start([fd] { EQ(3, write(fd, "ghi", 3)); }));
  EQ(9, lseek(copy, 0, SEEK_CUR));
}

CASE(kBoth, "data/pwrite_keeps_position") {
  const int fd = new_file();
  EQ(5, write(fd, "01234", 5));
  EQ(1, pwrite(fd, "X", 1, 0));
  EQ(5, lseek(fd, 0, SEEK_CUR));
  EQ("X1", read_at(fd, 0, 2));
  EQ(5, lseek(fd, 0, SEEK_CUR));
}

CASE(kBoth, "data/vectors") {
  const int fd = new_file();
  char a[] = "first", b[] = "second", c[] = "third";
  const iovec parts[] = {{a, 5}, {b, 6}, {nullptr, 0}, {c, 5}};
  EQ(16, OK(writev(fd, parts, 4)));
  EQ("firstsecondthird", slurp("f"));
  EQ(16, OK(pwritev(fd, parts, 4, 100000)));
  EQ(100016, look(fd).st_size);
  char x[8] = {}, y[20] = {};
  const iovec rooms[] = {{x, 7}, {y, 19}};
  EQ(16, OK(preadv(fd, rooms, 2, 100000)));
  EQ("firstse", x);
  EQ("condthird", y);
  FAILS(EINVAL, writev(fd, parts, -1));
  FAILS(EINVAL, writev(fd, parts, IOV_MAX + 1));
  const iovec huge[] = {{a, SIZE_MAX}, {b, 10}};
  FAILS(EINVAL, writev(fd, huge, 2));
}

CASE(kBoth, "data/preadv2_flags") {
  const int fd = new_file();
  char a[] = "data";
  const iovec part{a, 4};
  EQ(4, OK(pwritev2(fd, &part, 1, 0, RWF_SYNC)));
  EQ(4, OK(pwritev2(fd, &part, 1, 0, RWF_DSYNC)));
  EQ(4, OK(pwritev2(fd, &part, 1, 0, RWF_APPEND)));
  EQ("datadata", slurp("f"));
  FAILS(Errors(EOPNOTSUPP, EINVAL), pwritev2(fd, &part, 1, 0, 0x40000000));
}

CASE(kBoth, "append/ignores_position") {
  const int fd = new_file(O_APPEND);
  EQ(3, write(fd, "abc", 3));
  EQ(0, lseek(fd, 0, SEEK_SET));
  EQ(3, write(fd, "def", 3));
  EQ(6, lseek(fd, 0, SEEK_CUR));
  EQ(1, pwrite(fd, "!", 1, 0));  // Linux appends here too
  EQ("abcdef!", slurp("f"));
}

CASE(kBoth, "append/after_others") {
  const int one = new_file(O_APPEND);
  const int two = OK(open("f", O_WRONLY | O_APPEND));
  const int plain = OK(open("f", O_WRONLY));
  EQ(3, write(one, "one", 3));
  EQ(3, write(two, "two", 3));
  EQ(5, pwrite(plain, "plain", 5, 10));
  EQ(3, write(one, "end", 3));
  EQ(std::string("onetwo\0\0\0\0plainend", 18), slurp("f"));
  OK(truncate("f", 2));
  EQ(1, write(two, "!", 1));
  EQ("on!", slurp("f"));
}

// Records of several writers: none lost, none torn.
void append_together(size_t record, int rounds) {
  OK(close(new_file()));
  std::vector<pid_t> writers;
  for (int w = 0; w < 4; ++w) {
    writers.push_back(start([=] {
      const int fd = OK(open("f", O_WRONLY | O_APPEND));
      const std::string text = repeat(static_cast<char>('a' + w), record - 1) + "\n";
      for (int i = 0; i < rounds; ++i) EQ(record, write(fd, text.data(), record));
    }));
  }
  for (const pid_t writer : writers) join(writer);
  const std::string content = slurp("f");
  EQ(record * 4 * static_cast<size_t>(rounds), content.size());
  int counts[4] = {};
  size_t torn = 0;
  for (size_t at = 0; at + record <= content.size(); at += record) {
    const std::string one = content.substr(at, record);
    const int who = one[0] - 'a';
    if (who >= 0 && who < 4) ++counts[who];
    torn += one != repeat(one[0], record - 1) + "\n";
  }
  EQ(0, torn);
  for (const int count : counts) EQ(rounds, count);
}

CASE(kBoth, "append/several_writers_small") { append_together(24, 500); }
CASE(kBoth, "append/several_writers_large") { append_together(5000, 100); }

CASE(kBoth, "data/several_writers_own_ranges") {
  OK(close(new_file()));
  std::vector<pid_t> writers;
  for (int w = 0; w < 4; ++w) {
    writers.push_back(start([w] {
      const int fd = OK(open("f", O_WRONLY));
      for (int i = 0; i < 200; ++i) {
        const char letter = static_cast<char>('a' + w);
        EQ(1, pwrite(fd, &letter, 1, i * 400 + w * 100));
      }
    }));
  }
  for (const pid_t writer : writers) join(writer);
  const std::string content = slurp("f");
  EQ(199 * 400 + 301, content.size());
  size_t wrong = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    wrong += content[i] != (i % 100 == 0 ? static_cast<char>('a' + i % 400 / 100) : '\0');
  }
  EQ(0, wrong);
}

// Random reads, writes, truncates and punches against a string, reopened every so often.
void model_check(unsigned seed, off_t limit, int steps) {
  const Row row("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::string model;
  int fd = new_file();
  for (int step = 0; step < steps; ++step) {
    const size_t at = random() % static_cast<size_t>(limit);
    const size_t bytes = random() % (1 + static_cast<size_t>(limit) / 8);
    switch (random() % 8) {
      case 0:
        OK(ftruncate(fd, static_cast<off_t>(at)));
        model.resize(at, '\0');
        break;
      case 1:
        close(fd);
        fd = OK(open("f", O_RDWR));
        break;
      case 2:
        if (bytes == 0) break;
        OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(at),
                     static_cast<off_t>(bytes)));
        for (size_t i = at; i < std::min(at + bytes, model.size()); ++i) model[i] = '\0';
        break;
      case 3:
      case 4:
        HOLDS(read_at(fd, static_cast<off_t>(at), bytes) == (at < model.size() ? model.substr(at, bytes) : ""));
        break;
      default: {
        const std::string data = repeat(static_cast<char>('A' + step % 50), bytes);
        EQ(bytes, pwrite(fd, data.data(), bytes, static_cast<off_t>(at)));
        if (bytes > 0 && model.size() < at + bytes) model.resize(at + bytes, '\0');
        model.replace(at, bytes, data);
      }
    }
    if (!EQ(model.size(), look(fd).st_size)) break;
  }
  HOLDS(slurp("f") == model);
  close(fd);
  HOLDS(slurp("f") == model);
}

CASE(kBoth, "data/random_model_small") {
  for (unsigned seed = 1; seed <= 10; ++seed) model_check(seed, 20000, 150);
}
CASE(kBoth, "data/random_model_inline_edge") {
  for (unsigned seed = 11; seed <= 20; ++seed) model_check(seed, 70000, 150);
}
CASE(kBoth, "data/random_model_large") {
  for (unsigned seed = 21; seed <= 24; ++seed) model_check(seed, 9 << 20, 60);
}

struct Free {
  void operator()(void* memory) const { free(memory); }
};
std::unique_ptr<char, Free> aligned(size_t bytes, char fill) {
  std::unique_ptr<char, Free> memory(static_cast<char*>(aligned_alloc(4096, bytes)));
  memset(memory.get(), fill, bytes);
  return memory;
}

CASE(kBoth, "direct/read_and_write") {
  const int fd = open("f", O_CREAT | O_RDWR | O_DIRECT, 0644);
  if (fd < 0 && errno == EINVAL) return skipped("no O_DIRECT here");
  OK(fd);
  const auto out = aligned(65536, 'd');
  const auto in = aligned(65536, 0);
  EQ(65536, OK(pwrite(fd, out.get(), 65536, 0)));
  EQ(4096, OK(pwrite(fd, out.get(), 4096, 1 << 20)));
  EQ((1 << 20) + 4096, look(fd).st_size);
  EQ(65536, OK(pread(fd, in.get(), 65536, 0)));
  HOLDS(memcmp(out.get(), in.get(), 65536) == 0);
  EQ(4096, OK(pread(fd, in.get(), 8192, 1 << 20)));
  EQ(0, pread(fd, in.get(), 4096, 2 << 20));
  EQ(4096, pread(fd, in.get(), 4096, 524288));
  EQ(0, in.get()[100]);
}

CASE(kBoth, "direct/coherent_with_buffered") {
  spit("f", repeat('b', 8192));
  const int direct = open("f", O_RDWR | O_DIRECT);
  if (direct < 0 && errno == EINVAL) return skipped("no O_DIRECT here");
  const int plain = OK(open("f", O_RDWR));
  const auto block = aligned(4096, 'D');
  EQ(repeat('b', 8192), read_at(plain, 0, 8192));
  EQ(4096, OK(pwrite(direct, block.get(), 4096, 4096)));
  EQ(repeat('D', 4096), read_at(plain, 4096, 4096));
  EQ(1, pwrite(plain, "p", 1, 0));
  EQ(4096, OK(pread(direct, block.get(), 4096, 0)));
  EQ('p', block.get()[0]);
  EQ('b', block.get()[1]);
}

CASE(kBoth, "direct/tail_of_file") {
  spit("f", repeat('t', 5000));
  const int fd = open("f", O_RDONLY | O_DIRECT);
  if (fd < 0 && errno == EINVAL) return skipped("no O_DIRECT here");
  const auto block = aligned(8192, 0);
  EQ(5000, OK(pread(fd, block.get(), 8192, 0)));
  EQ(904, OK(pread(fd, block.get(), 4096, 4096)));
  EQ('t', block.get()[903]);
}

CASE(kBoth, "sync/calls") {
  const int fd = new_file();
  EQ(4, write(fd, "data", 4));
  OK(fsync(fd));
  OK(fdatasync(fd));
  OK(fsync(OK(open("f", O_RDONLY))));
  OK(fsync(OK(open(".", O_RDONLY | O_DIRECTORY))));
  OK(fdatasync(OK(open(".", O_RDONLY | O_DIRECTORY))));
  OK(syncfs(fd));
  OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
  FAILS(EBADF, fsync(-1));
  FAILS(EBADF, fsync(OK(open("f", O_PATH))));
  int pipes[2];
  OK(pipe(pipes));
  FAILS(EINVAL, fsync(pipes[0]));
  EQ("data", slurp("f"));
}

CASE(kBoth, "sync/flags") {
  for (const int flag : {O_SYNC, O_DSYNC}) {
    const int fd = new_file(flag);
    EQ(flag, fcntl(fd, F_GETFL) & flag);
    EQ(4, write(fd, "data", 4));
    EQ(4, pwrite(fd, "more", 4, 100000));
    EQ("data", read_at(fd, 0, 4));
    EQ(100004, look(fd).st_size);
    close(fd);
  }
}

CASE(kBoth, "data/posix_fadvise_and_readahead") {
  const int fd = new_file();
  EQ(4, write(fd, "data", 4));
  for (int advice = 0; advice <= 5; ++advice) EQ(0, posix_fadvise(fd, 0, 0, advice));
  EQ(EINVAL, posix_fadvise(fd, 0, 0, 99));
  OK(readahead(fd, 0, 4096));
  EQ("data", read_at(fd, 0, 10));
}

}  // namespace
}  // namespace firn::posix
