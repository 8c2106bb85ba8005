#include "io/uring/socket_address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace firn::io::internal {

SocketAddress::SocketAddress(SocketAddress&& other) noexcept
    : storage_(other.storage_), bytes_(other.bytes_), folder_fd_(std::exchange(other.folder_fd_, -1)) {}

SocketAddress::~SocketAddress() {
  if (folder_fd_ >= 0) close(folder_fd_);
}

Result<SocketAddress> SocketAddress::unix_path(const std::string& path) {
  SocketAddress address;
  auto* unix_address = reinterpret_cast<sockaddr_un*>(&address.storage_);
  std::string name = path;
  if (name.size() >= sizeof unix_address->sun_path) {
    // Too long for sun_path: reach it through its folder's descriptor.
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    address.folder_fd_ = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (address.folder_fd_ < 0) return fail(Status::from_errno(errno, "open " + folder));
    name = "/proc/self/fd/" + std::to_string(address.folder_fd_) + "/" + path.substr(slash + 1);
    if (name.size() >= sizeof unix_address->sun_path) return fail(Code::kNameTooLong, path + ": name too long");
  }
  unix_address->sun_family = AF_UNIX;
  std::memcpy(unix_address->sun_path, name.c_str(), name.size() + 1);
  address.bytes_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  return address;
}

Result<SocketAddress> SocketAddress::tcp(const TcpAddress& where) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
  if (inet_pton(AF_INET, where.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(where.port);
    address.bytes_ = sizeof *v4;
  } else if (inet_pton(AF_INET6, where.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(where.port);
    address.bytes_ = sizeof *v6;
  } else {
    return fail(Code::kInvalid, where.host + ": not a numeric IP address");
  }
  return address;
}

}  // namespace firn::io::internal
