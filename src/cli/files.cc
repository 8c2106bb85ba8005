#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "io/unique_fd.h"

namespace firn::cli {

Status write_all(int fd, const std::string& path, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t bytes = write(fd, text.data() + done, text.size() - done);
    if (bytes < 0) return Status::from_errno(errno, path);
    done += static_cast<size_t>(bytes);
  }
  return fsync(fd) == 0 ? Status() : Status::from_errno(errno, path);
}

Status write_file(const std::string& path, const std::string& text) {
  io::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return Status::from_errno(errno, path);
  return write_all(fd.get(), path, text);
}

Status sync_folder(const std::string& path) {
  io::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) return Status::from_errno(errno, path);
  return {};
}

Result<bool> make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return true;
  if (errno == EEXIST) return false;
  return fail(Status::from_errno(errno, path));
}

Status remove_all(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? Status::from_errno(error.value(), path) : Status();
}

}  // namespace firn::cli
