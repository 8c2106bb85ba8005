#include "cli/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "http/peer.h"
#include "http/tls_socket.h"

namespace firn::cli {
namespace {

// For whole answers. A sync of a slow disk may take long.
constexpr timeval kTimeout = {.tv_sec = 300, .tv_usec = 0};
constexpr timeval kConnectTimeout = {.tv_sec = 10, .tv_usec = 0};

void limit_waits(int fd, const timeval& timeout) {
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

Status broken() { return Status::from_errno(errno, "talking to the daemon"); }

struct Addresses {
  addrinfo* first = nullptr;
  ~Addresses() {
    if (first) freeaddrinfo(first);
  }
};

Result<io::UniqueFd> connect_tcp(const Remote& remote) {
  Addresses addresses;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const std::string& where = remote.address.empty() ? remote.host : remote.address;
  if (const int error = getaddrinfo(where.c_str(), remote.port.c_str(), &hints, &addresses.first); error != 0)
    return fail(Code::kUnavailable, fmt::format("{}: {}", remote.text(), gai_strerror(error)));
  int error = EHOSTUNREACH;
  for (const addrinfo* at = addresses.first; at; at = at->ai_next) {
    io::UniqueFd fd(socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail(Status::from_errno(errno, "making a socket"));
    limit_waits(fd.get(), kConnectTimeout);
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd.get(), at->ai_addr, at->ai_addrlen) == 0) return fd;
    error = errno == EINPROGRESS ? ETIMEDOUT : errno;
  }
  return fail(Code::kUnavailable, fmt::format("{}: {}", remote.text(), std::strerror(error)));
}

// Whom the certificate must be for.
bool expect_host(SSL* ssl, const std::string& host) {
  in6_addr address{};
  const bool numeric =
      inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (numeric) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  return SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

Status nobody_answers(const VolumePaths& paths) {
  const auto holder = find_holder(paths);
  if (!holder)
    return Status(Code::kUnavailable,
                  fmt::format("{}: nobody serves this volume; use firn mount or firn serve", paths.root));
  const std::string who = holder->pid == 0 ? "another process" : fmt::format("process {}", holder->pid);
  return Status(
      Code::kUnavailable,
      fmt::format("{}: {} has this volume and does not answer: it starts, or saves before it ends", paths.root, who));
}

// Any user of this machine can listen at a port.
Status check_local_user(int fd, const Remote& remote) {
  constexpr int kTries = 100;
  uint32_t uid = 0;
  bool known = false;
  // Nobody's, until it is accepted.
  for (int i = 0; i < kTries && !(known = http::local_user_of(fd, uid)); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (known && (uid == 0 || uid == geteuid())) return {};
  return Status(
      Code::kNotPermitted,
      fmt::format("{}: another user of this machine listens there; name it with --url if you mean it", remote.text()));
}

}  // namespace

void Connection::SslEnd::operator()(SSL* ssl) const { SSL_free(ssl); }

Result<Connection> Connection::to_volume(const VolumePaths& paths) {
  // Through the folder's descriptor, for a path that is too long for sun_path.
  io::UniqueFd folder(open(paths.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(Status::from_errno(errno, paths.root));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("/proc/self/fd/{}/{}", folder.get(), kSocketName);
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  io::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Status::from_errno(errno, "making a socket"));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return fail(nobody_answers(paths));
    return fail(Status::from_errno(errno, fmt::format("{}/{}", paths.root, kSocketName)));
  }
  limit_waits(fd.get(), kTimeout);
  return Connection(std::move(fd));
}

Result<Connection> Connection::to_remote(const Remote& remote) {
  Connection connection(TRY(connect_tcp(remote)));
  if (remote.trust == Trust::kLocalPort) TRY(check_local_user(connection.fd_.get(), remote));
  if (remote.tls) TRY(connection.start_tls(remote));
  limit_waits(connection.fd_.get(), kTimeout);
  return connection;
}

Status Connection::start_tls(const Remote& remote) {
  const http::SslContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Status(Code::kInternal, "OpenSSL: " + http::ssl_failure());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (remote.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), remote.ca_file.c_str(), nullptr) != 1) {
    return Status(Code::kInvalid, remote.ca_file + ": no certificates can be read: " + http::ssl_failure());
  }
  ssl_.reset(SSL_new(context.get()));
  if (!ssl_ || !expect_host(ssl_.get(), remote.host) || SSL_set_fd(ssl_.get(), fd_.get()) != 1)
    return Status(Code::kInternal, "OpenSSL: " + http::ssl_failure());
  if (SSL_connect(ssl_.get()) == 1) return {};
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict == X509_V_OK) return Status(Code::kUnavailable, remote.text() + ": no TLS: " + http::ssl_failure());
  return Status(Code::kAccessDenied,
                fmt::format("{}: its certificate is not to be trusted: {}; --ca-file names an authority to trust",
                            remote.text(), X509_verify_cert_error_string(verdict)));
}

Status Connection::write(std::span<const std::byte> data) {
  while (!data.empty()) {
    const size_t most = std::min<size_t>(data.size(), 1 << 20);
    const ssize_t bytes = ssl_ ? SSL_write(ssl_.get(), data.data(), static_cast<int>(most))
                               : ::send(fd_.get(), data.data(), most, MSG_NOSIGNAL);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0 && ssl_) return Status(Code::kUnavailable, "the daemon ended the TLS connection");
    if (bytes < 0) return broken();
    data = data.subspan(static_cast<size_t>(bytes));
  }
  return {};
}

Result<size_t> Connection::read(std::span<std::byte> buffer) {
  for (;;) {
    const size_t most = std::min<size_t>(buffer.size(), 1 << 30);
    const ssize_t bytes =
        ssl_ ? SSL_read(ssl_.get(), buffer.data(), static_cast<int>(most)) : ::recv(fd_.get(), buffer.data(), most, 0);
    if (bytes >= 0 && (!ssl_ || bytes > 0)) return static_cast<size_t>(bytes);
    if (ssl_ && SSL_get_error(ssl_.get(), static_cast<int>(bytes)) == SSL_ERROR_ZERO_RETURN) return size_t{0};
    if (errno == EINTR) continue;
    if (ssl_) return fail(Code::kUnavailable, "the TLS connection to the daemon broke");
    return fail(broken());
  }
}

bool Connection::readable() {
  if (ssl_ && SSL_pending(ssl_.get()) > 0) return true;
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (poll(&waiting, 1, 0) <= 0) return false;
  if (!ssl_) return true;
  // TLS sends what is no data as well (tickets for later sessions): look at what it is.
  const int flags = fcntl(fd_.get(), F_GETFL);
  fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
  std::byte first{};
  const int bytes = SSL_peek(ssl_.get(), &first, 1);
  const bool waits = bytes <= 0 && SSL_get_error(ssl_.get(), bytes) == SSL_ERROR_WANT_READ;
  fcntl(fd_.get(), F_SETFL, flags);
  return !waits;
}

}  // namespace firn::cli
