#include "fs.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>

#include <algorithm>

namespace firn::posix {
namespace {

int bind_socket(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int result = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int code = errno;
  close(fd);
  errno = code;
  return result;
}

int make_raw(Kind kind, const char* path) {
  switch (kind) {
    case Kind::kFile:
      return mknod(path, S_IFREG | 0644, 0);
    case Kind::kDirectory:
      return mkdir(path, 0755);
    case Kind::kSymlink:
      return symlink("target", path);
    case Kind::kFifo:
      return mkfifo(path, 0644);
    case Kind::kSocket:
      return bind_socket(path);
    case Kind::kChar:
      return mknod(path, S_IFCHR | 0644, makedev(1, 3));
    case Kind::kBlock:
      return mknod(path, S_IFBLK | 0644, makedev(7, 200));
  }
  return -1;
}

int remove_entry(const char* path, const struct stat*, int, FTW*) { return remove(path); }

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kFile:
      return "file";
    case Kind::kDirectory:
      return "directory";
    case Kind::kSymlink:
      return "symlink";
    case Kind::kFifo:
      return "fifo";
    case Kind::kSocket:
      return "socket";
    case Kind::kChar:
      return "char device";
    case Kind::kBlock:
      return "block device";
  }
  return "?";
}

mode_t type_bits(Kind kind) {
  switch (kind) {
    case Kind::kFile:
      return S_IFREG;
    case Kind::kDirectory:
      return S_IFDIR;
    case Kind::kSymlink:
      return S_IFLNK;
    case Kind::kFifo:
      return S_IFIFO;
    case Kind::kSocket:
      return S_IFSOCK;
    case Kind::kChar:
      return S_IFCHR;
    case Kind::kBlock:
      return S_IFBLK;
  }
  return 0;
}

std::vector<Kind> kinds() {
  std::vector<Kind> all{Kind::kFile, Kind::kDirectory, Kind::kSymlink, Kind::kFifo, Kind::kSocket};
  if (is_root()) all.insert(all.end(), {Kind::kChar, Kind::kBlock});
  return all;
}

bool make(Kind kind, const std::string& path) {
  const Where where{"fs.cc", 0, "making a node"};
  if (make_raw(kind, path.c_str()) == 0) return true;
  failed(where, std::string(name_of(kind)) + " " + path, error_name(errno));
  return false;
}

bool drop(const std::string& path) { return remove(path.c_str()) == 0; }

bool spit(const std::string& path, const std::string& content, mode_t mode) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  const bool done = fd >= 0 && write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  const int code = errno;
  if (fd >= 0) close(fd);
  if (!done) failed({"fs.cc", 0, "writing a file"}, path, error_name(code));
  return done;
}

std::string slurp(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    failed({"fs.cc", 0, "reading a file"}, path, error_name(errno));
    return "";
  }
  std::string content;
  char block[65536];
  for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;) content.append(block, static_cast<size_t>(n));
  close(fd);
  return content;
}

std::string read_at(int fd, off_t offset, size_t bytes) {
  std::string content(bytes, '\0');
  const ssize_t n = pread(fd, content.data(), bytes, offset);
  if (n < 0) {
    failed({"fs.cc", 0, "pread"}, "success", error_name(errno));
    return "";
  }
  content.resize(static_cast<size_t>(n));
  return content;
}

struct stat look(const std::string& path) {
  struct stat st{};
  if (lstat(path.c_str(), &st) != 0) failed({"fs.cc", 0, "lstat"}, path, error_name(errno));
  return st;
}

struct stat look(int fd) {
  struct stat st{};
  if (fstat(fd, &st) != 0) failed({"fs.cc", 0, "fstat"}, "success", error_name(errno));
  return st;
}

unsigned mode_of(const std::string& path) { return look(path).st_mode & 07777; }
unsigned long nlink_of(const std::string& path) { return look(path).st_nlink; }
off_t size_of(const std::string& path) { return look(path).st_size; }

bool exists(const std::string& path) {
  struct stat st{};
  return lstat(path.c_str(), &st) == 0;
}

std::vector<std::string> list_names(const std::string& directory) {
  std::vector<std::string> names;
  DIR* const stream = opendir(directory.c_str());
  if (stream == nullptr) {
    failed({"fs.cc", 0, "opendir"}, directory, error_name(errno));
    return names;
  }
  while (const dirent* entry = readdir(stream)) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) names.emplace_back(entry->d_name);
  }
  closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

bool remove_tree(const std::string& path) { return nftw(path.c_str(), remove_entry, 32, FTW_DEPTH | FTW_PHYS) == 0; }

std::string repeat(char c, size_t count) { return std::string(count, c); }

std::string octal(unsigned mode) {
  char text[16];
  snprintf(text, sizeof(text), "0%o", mode);
  return text;
}

void tick() { usleep(25000); }

std::string other_file_system() {
  const dev_t here = look(".").st_dev;
  for (const char* candidate : {"/dev/shm", "/tmp", "/var/tmp", "/run"}) {
    struct stat st{};
    if (stat(candidate, &st) == 0 && st.st_dev != here && access(candidate, W_OK) == 0) return candidate;
  }
  return "";
}

}  // namespace firn::posix
