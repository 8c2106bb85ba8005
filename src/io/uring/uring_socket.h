// io::Socket and io::Listener on the current UringReactor's ring: Unix and TCP streams.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "io/socket.h"

namespace firn::io {

// Binds and listens at `path`, replacing a socket that lies there: the caller makes sure (a lock file) that nobody
// serves it. `mode` are the permissions to connect. Paths may be longer than sun_path. Closing does not unlink.
Result<std::unique_ptr<Listener>> listen_unix(const std::string& path, mode_t mode = 0600);

// `address` is numeric, IPv4 or IPv6; port 0 takes a free one (see tcp_port).
Result<std::unique_ptr<Listener>> listen_tcp(const std::string& address, uint16_t port);
// The port a TCP listener is bound to.
uint16_t tcp_port(const Listener& listener);

Task<Result<std::unique_ptr<Socket>>> connect_unix(std::string path, Until until);
// `address` is numeric.
Task<Result<std::unique_ptr<Socket>>> connect_tcp(std::string address, uint16_t port, Until until);

// Wraps a connected stream socket, which the Socket then owns.
std::unique_ptr<Socket> make_uring_socket(int fd);

}  // namespace firn::io
