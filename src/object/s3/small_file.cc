#include "object/s3/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "io/unique_fd.h"

namespace firn::object::s3 {

Result<std::string> read_small_file(const std::string& path) {
  constexpr size_t kMaxBytes = 64 << 10;
  const io::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text(kMaxBytes, '\0');
  const ssize_t bytes = file ? ::pread(file.get(), text.data(), text.size(), 0) : -1;
  if (bytes < 0) return fail(Code::kAccessDenied, path + ": " + std::strerror(errno));
  if (bytes == 0) return fail(Code::kAccessDenied, path + " is empty");
  text.resize(static_cast<size_t>(bytes));
  return text;
}

Status replace_small_file(const std::string& path, const std::string& before, const std::string& after) {
  std::error_code unknown;
  const std::string target = std::filesystem::canonical(path, unknown);
  const auto failed = [&](const std::string& what) {
    return Status(Code::kIo, path + ": " + what + ": " + std::strerror(errno));
  };
  struct stat old{};
  if (unknown || ::stat(target.c_str(), &old) != 0) return failed("stat");
  std::string temporary = target + ".XXXXXX";
  io::UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));  // of mode 0600
  if (!file) return failed("create a file beside it");
  const bool foreign = old.st_uid != ::geteuid() || old.st_gid != ::getegid();
  if (foreign) (void)!::fchown(file.get(), old.st_uid, old.st_gid);  // only root may
  const bool written =
      ::write(file.get(), after.data(), after.size()) == static_cast<ssize_t>(after.size()) && ::fsync(file.get()) == 0;
  Status status = written ? Status() : failed("write");
  const Result<std::string> now = read_small_file(path);
  const bool is_before = now && *now == before;
  if (status.ok() && is_before && ::rename(temporary.c_str(), target.c_str()) != 0) status = failed("rename");
  if (!status.ok() || !is_before) ::unlink(temporary.c_str());
  return status;
}

}  // namespace firn::object::s3
