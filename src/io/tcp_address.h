// io::TcpAddress: an end of a TCP connection, and its text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace firn::io {

struct TcpAddress {
  std::string host;   // numeric, IPv4 or IPv6 without brackets
  uint16_t port = 0;  // listening: 0 takes a free one

  // "127.0.0.1:7734", "[::1]:7734".
  std::string text() const;
  // 127.0.0.0/8, ::1, and the former as IPv6 has it (::ffff:127.0.0.1).
  bool loopback() const;

  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

// "HOST:PORT", "[HOST6]:PORT", or a host alone, which has `default_port`; `localhost` is 127.0.0.1, and "*" or an empty
// host is every IPv4 address. kInvalid, with what is wrong: anything else, names of hosts included.
Result<TcpAddress> parse_tcp_address(std::string_view text, uint16_t default_port);

// Of a connected or listening socket. kNotSupported: it is not TCP.
Result<TcpAddress> local_address_of(int fd);
Result<TcpAddress> peer_address_of(int fd);

}  // namespace firn::io
