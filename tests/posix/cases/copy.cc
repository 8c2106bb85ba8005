// Copying inside the kernel: copy_file_range, sendfile, splice.
#include <limits.h>
#include <sys/sendfile.h>

#include "fs.h"

namespace firn::posix {
namespace {

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

ssize_t copy_all(int from, int to, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = copy_file_range(from, nullptr, to, nullptr, bytes - done, 0);
    if (n < 0) return n;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

CASE(kBoth, "copy/whole_file") {
  for (const size_t bytes :
       {size_t{0}, size_t{1}, size_t{100}, size_t{4096}, size_t{70000}, size_t{1} << 20, (size_t{5} << 20) + 17}) {
    const Row row(std::to_string(bytes));
    const std::string content = pattern(bytes);
    spit("from", content);
    const int from = OK(open("from", O_RDONLY));
    const int to = OK(open("to", O_CREAT | O_TRUNC | O_RDWR, 0644));
    EQ(bytes, OK(copy_all(from, to, bytes + 10)));
    EQ(bytes, lseek(from, 0, SEEK_CUR));
    EQ(bytes, lseek(to, 0, SEEK_CUR));
    HOLDS(slurp("to") == content);
    close(from);
    close(to);
    HOLDS(slurp("to") == content);
  }
}

CASE(kBoth, "copy/offsets") {
  const std::string content = pattern(200000);
  spit("from", content);
  spit("to", repeat('#', 1000));
  const int from = OK(open("from", O_RDONLY));
  const int to = OK(open("to", O_RDWR));
  off_t in = 1234, out = 500;
  EQ(777, OK(copy_file_range(from, &in, to, &out, 777, 0)));
  EQ(1234 + 777, in);
  EQ(500 + 777, out);
  EQ(0, lseek(from, 0, SEEK_CUR));
  HOLDS(slurp("to") == repeat('#', 500) + content.substr(1234, 777));
  in = 100;
  out = 150000;
  EQ(50, OK(copy_file_range(from, &in, to, &out, 50, 0)));
  EQ(150050, look(to).st_size);
  EQ(std::string(10, '\0'), read_at(to, 149990, 10));
  in = 200000;
  EQ(0, copy_file_range(from, &in, to, &out, 50, 0));
}

CASE(kBoth, "copy/same_file") {
  spit("f", pattern(100000));
  const int fd = OK(open("f", O_RDWR));
  off_t in = 0, out = 50000;
  FAILS(EINVAL, copy_file_range(fd, &in, fd, &out, 60000, 0));
  EQ(50000, OK(copy_file_range(fd, &in, fd, &out, 50000, 0)));
  HOLDS(slurp("f") == pattern(100000).substr(0, 50000) + pattern(100000).substr(0, 50000));
}

CASE(kBoth, "copy/errors") {
  spit("f", "content");
  const int reader = OK(open("f", O_RDONLY));
  const int writer = OK(open("g", O_CREAT | O_WRONLY, 0644));
  const int append = OK(open("h", O_CREAT | O_WRONLY | O_APPEND, 0644));
  const int directory = OK(open(".", O_RDONLY));
  FAILS(EBADF, copy_file_range(writer, nullptr, writer, nullptr, 1, 0));
  FAILS(EBADF, copy_file_range(reader, nullptr, reader, nullptr, 1, 0));
  FAILS(EBADF, copy_file_range(reader, nullptr, append, nullptr, 1, 0));
  FAILS(EINVAL, copy_file_range(reader, nullptr, writer, nullptr, 1, 1));
  FAILS(EISDIR, copy_file_range(directory, nullptr, writer, nullptr, 1, 0));
  off_t in = 1;
  FAILS(EOVERFLOW, copy_file_range(reader, &in, writer, nullptr, SIZE_MAX, 0));
}

CASE(kBoth, "copy/other_file_system") {
  const std::string other = other_file_system();
  if (other.empty()) return skipped("no other writable file system");
  const std::string path = other + "/posix_suite.copy." + std::to_string(getpid());
  spit("from", pattern(100000));
  const int from = OK(open("from", O_RDONLY));
  const int out = OK(open(path.c_str(), O_CREAT | O_RDWR, 0600));
  const ssize_t n = copy_file_range(from, nullptr, out, nullptr, 100000, 0);
  if (n < 0) EQ(EXDEV, errno);
  OK(unlink(path.c_str()));
}

CASE(kBoth, "copy/sendfile") {
  for (const size_t bytes : {size_t{10}, size_t{5000}, size_t{1} << 20}) {
    const Row row(std::to_string(bytes));
    spit("from", pattern(bytes));
    const int from = OK(open("from", O_RDONLY));
    const int to = OK(open("to", O_CREAT | O_TRUNC | O_RDWR, 0644));
    size_t done = 0;
    while (done < bytes) {
      const ssize_t n = OK(sendfile(to, from, nullptr, bytes - done));
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    HOLDS(slurp("to") == pattern(bytes));
    close(from);
    close(to);
  }
}

CASE(kBoth, "copy/splice") {
  int pipes[2];
  OK(pipe(pipes));
  for (const size_t bytes : {size_t{10}, size_t{5000}, size_t{60000}}) {
    const Row row(std::to_string(bytes));
    spit("from", pattern(bytes));
    const int from = OK(open("from", O_RDONLY));
    const int to = OK(open("to", O_CREAT | O_TRUNC | O_RDWR, 0644));
    size_t done = 0;
    while (done < bytes) {
      const ssize_t n = OK(splice(from, nullptr, pipes[1], nullptr, bytes - done, 0));
      if (n <= 0) break;
      size_t left = static_cast<size_t>(n);
      while (left > 0) {
        const ssize_t m = OK(splice(pipes[0], nullptr, to, nullptr, left, 0));
        if (m <= 0) return;
        left -= static_cast<size_t>(m);
      }
      done += static_cast<size_t>(n);
    }
    HOLDS(slurp("to") == pattern(bytes));
    close(from);
    close(to);
  }
}

}  // namespace
}  // namespace firn::posix
