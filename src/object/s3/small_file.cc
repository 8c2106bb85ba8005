#include "object/s3/small_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

}  // namespace firn::object::s3
