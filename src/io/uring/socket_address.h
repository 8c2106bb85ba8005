// internal::SocketAddress: the address of a Unix or TCP endpoint, as the kernel wants it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/status.h"
#include "io/tcp_address.h"

namespace firn::io::internal {

// Owns the folder's descriptor through which a long path is reached, so it lives until bind or connect returned.
class SocketAddress {
 public:
  static Result<SocketAddress> unix_path(const std::string& path);
  static Result<SocketAddress> tcp(const TcpAddress& where);

  SocketAddress(SocketAddress&& other) noexcept;
  SocketAddress& operator=(SocketAddress&&) = delete;
  ~SocketAddress();

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t bytes() const { return bytes_; }
  int family() const { return storage_.ss_family; }

 private:
  SocketAddress() = default;

  sockaddr_storage storage_{};
  socklen_t bytes_ = 0;
  int folder_fd_ = -1;
};

}  // namespace firn::io::internal
