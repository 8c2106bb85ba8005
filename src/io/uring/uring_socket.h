// io::Socket and io::Listener on the current UringReactor's ring: Unix and TCP streams.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "io/socket.h"
#include "io/tcp_address.h"

namespace firn::io {

// Binds and listens at `path`, replacing a socket that lies there: the caller makes sure (a lock file) that nobody
// serves it. `mode` are the permissions to connect. Paths may be longer than sun_path. Closing does not unlink.
Result<std::unique_ptr<Listener>> listen_unix(const std::string& path, mode_t mode = 0600);

// Port 0 takes a free one: local_address_of(listener.fd()) tells which.
Result<std::unique_ptr<Listener>> listen_tcp(const TcpAddress& address);

Task<Result<std::unique_ptr<Socket>>> connect_unix(std::string path, Until until);
Task<Result<std::unique_ptr<Socket>>> connect_tcp(TcpAddress address, Until until);

// Wraps a connected stream socket, which the Socket then owns.
std::unique_ptr<Socket> make_uring_socket(int fd);

}  // namespace firn::io
