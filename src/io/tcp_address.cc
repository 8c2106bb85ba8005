#include "io/tcp_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace firn::io {
namespace {

// The host of an address that is one of IPv4 in IPv6's clothes is told as IPv4, so that it has one text.
Result<TcpAddress> address_of(const sockaddr_storage& storage) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return TcpAddress{text.data(), ntohs(v4.sin_port)};
  }
  if (storage.ss_family != AF_INET6) return fail(Code::kNotSupported, "not a TCP socket");
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  constexpr size_t kPrefixBytes = 12;
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, v6.sin6_addr.s6_addr + kPrefixBytes, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return TcpAddress{text.data(), ntohs(v6.sin6_port)};
}

Result<TcpAddress> ask(int fd, int (*call)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  if (call(fd, reinterpret_cast<sockaddr*>(&storage), &bytes) != 0) return fail(Status::from_errno(errno));
  return address_of(storage);
}

bool numeric(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

std::string TcpAddress::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

bool TcpAddress::loopback() const {
  in_addr v4{};
  in6_addr v6{};
  constexpr uint32_t kLoopbackNet = 127;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == kLoopbackNet;
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == kLoopbackNet);
}

Result<TcpAddress> parse_tcp_address(std::string_view text, uint16_t default_port) {
  const std::string quoted = "\"" + std::string(text) + "\"";
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return fail(Code::kInvalid, quoted + ": a \"[\" without its \"]\"");
    host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return fail(Code::kInvalid, quoted + ": only :PORT may follow \"]\"");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (const size_t colon = text.rfind(':'); colon != std::string_view::npos && text.find(':') == colon) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  TcpAddress address{std::string(host), default_port};
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (address.host.empty() || address.host == "*") address.host = "0.0.0.0";
  if (!numeric(address.host)) return fail(Code::kInvalid, quoted + ": not a numeric IP address");
  if (!has_port) return address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size())
    return fail(Code::kInvalid, quoted + ": the port must be a number from 0 to 65535");
  return address;
}

Result<TcpAddress> local_address_of(int fd) { return ask(fd, getsockname); }
Result<TcpAddress> peer_address_of(int fd) { return ask(fd, getpeername); }

}  // namespace firn::io
