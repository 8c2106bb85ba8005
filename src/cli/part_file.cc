#include "cli/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>

#include "base/checksum.h"

namespace firn::cli {
namespace {

constexpr const char* kTagAttribute = "user.firn.etag";
constexpr size_t kMaxNameBytes = 255;

// kNotFound: somebody has renamed or removed it since it was opened.
Result<uint64_t> check_part(const io::UniqueFd& fd, const std::string& path, const std::string& part) {
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Code::kBusy, fmt::format("{}: another process is getting it", path));
  struct stat info{}, named{};
  if (fstat(fd.get(), &info) != 0) return fail(Status::from_errno(errno, part));
  if (!S_ISREG(info.st_mode) || info.st_uid != geteuid())
    return fail(Code::kExists, fmt::format("{}: is in the way, and no file of yours; remove it", part));
  if (lstat(part.c_str(), &named) != 0 || named.st_ino != info.st_ino || named.st_dev != info.st_dev)
    return fail(Code::kNotFound);
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

std::string part_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  const size_t start = slash == std::string::npos ? 0 : slash + 1;
  std::string name = path.substr(start);
  if (name.size() + kPartSuffix.size() + 1 > kMaxNameBytes) name = fmt::format("{:016x}", checksum64(name));
  return fmt::format("{}.{}{}", path.substr(0, start), name, kPartSuffix);
}

Result<PartFile> PartFile::open(const std::string& path) {
  constexpr int kAttempts = 10;
  const std::string part = part_path(path);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    io::UniqueFd fd(::open(part.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
    if (!fd) return fail(Status::from_errno(errno, path));
    Result<uint64_t> bytes = check_part(fd, path, part);
    if (bytes) return PartFile(path, part, std::move(fd), *bytes);
    if (bytes.error() != Code::kNotFound) return fail(std::move(bytes).error());
  }
  return fail(Code::kBusy, fmt::format("{}: other processes are getting it", path));
}

std::string PartFile::tag() const {
  char text[256];
  const ssize_t bytes = fgetxattr(fd_.get(), kTagAttribute, text, sizeof text);
  return bytes > 0 ? std::string(text, static_cast<size_t>(bytes)) : "";
}

Status PartFile::restart(const std::string& tag) {
  // Where the file system keeps no attributes, the next process begins anew.
  fremovexattr(fd_.get(), kTagAttribute);
  TRY(cut(0));
  if (!tag.empty()) fsetxattr(fd_.get(), kTagAttribute, tag.data(), tag.size(), 0);
  return {};
}

Status PartFile::cut(uint64_t bytes) {
  if (ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) return Status::from_errno(errno, part_);
  bytes_ = bytes;
  return {};
}

Status PartFile::append(std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t bytes = pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(bytes_));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return Status::from_errno(errno, part_);
    bytes_ += static_cast<uint64_t>(bytes);
    data = data.subspan(static_cast<size_t>(bytes));
  }
  return {};
}

void PartFile::discard() { unlink(part_.c_str()); }

Status PartFile::publish(const Attributes& attributes) {
  fremovexattr(fd_.get(), kTagAttribute);
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                            {.tv_sec = attributes.mtime.seconds, .tv_nsec = attributes.mtime.nanoseconds}};
  if (fchmod(fd_.get(), attributes.mode) != 0 || futimens(fd_.get(), times) != 0 ||
      rename(part_.c_str(), path_.c_str()) != 0)
    return Status::from_errno(errno, path_);
  return {};
}

}  // namespace firn::cli
