#include "io/uring/uring_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/unique_fd.h"
#include "io/uring/socket_address.h"
#include "io/uring/uring_reactor.h"

namespace firn::io {
namespace {

using internal::SocketAddress;

constexpr size_t kMaxTransferBytes = 1 << 30;
constexpr int kBacklog = 512;

Result<void> check(int32_t result) {
  if (result >= 0) return {};
  if (result == -ETIME) return fail(Code::kTimedOut);
  return fail(Status::from_errno(-result));
}

class UringSocket final : public Socket {
 public:
  explicit UringSocket(int fd) : fd_(fd) {}

  Task<Result<size_t>> recv(std::span<std::byte> buffer, Until until) override {
    const size_t count = std::min(buffer.size(), kMaxTransferBytes);
    const int32_t result = co_await UringReactor::current()->submit(
        [this, buffer, count](io_uring_sqe* sqe) { io_uring_prep_recv(sqe, fd_.get(), buffer.data(), count, 0); },
        until);
    CO_TRY(check(result));
    co_return static_cast<size_t>(result);
  }

  Task<Result<void>> send(std::span<const std::byte> data, Until until) override {
    while (!data.empty()) {
      const size_t count = std::min(data.size(), kMaxTransferBytes);
      const int32_t result = co_await UringReactor::current()->submit(
          [this, data, count](io_uring_sqe* sqe) {
            io_uring_prep_send(sqe, fd_.get(), data.data(), count, MSG_NOSIGNAL | MSG_WAITALL);
          },
          until);
      CO_TRY(check(result));
      data = data.subspan(static_cast<size_t>(result));
    }
    co_return {};
  }

  void shutdown(Side side) override {
    const int how = side == Side::kReceive ? SHUT_RD : side == Side::kSend ? SHUT_WR : SHUT_RDWR;
    ::shutdown(fd_.get(), how);
  }

  int fd() const override { return fd_.get(); }

 private:
  UniqueFd fd_;
};

void send_small_writes_at_once(int fd) {
  const int on = 1;
  // Not a TCP socket: it fails, and nothing is lost.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

class UringListener final : public Listener {
 public:
  explicit UringListener(int fd) : fd_(fd) {}

  Task<Result<std::unique_ptr<Socket>>> accept(Until until) override {
    const int32_t result = co_await UringReactor::current()->submit(
        [this](io_uring_sqe* sqe) { io_uring_prep_accept(sqe, fd_.get(), nullptr, nullptr, SOCK_CLOEXEC); }, until);
    CO_TRY(check(result));
    send_small_writes_at_once(result);
    co_return make_uring_socket(result);
  }

  int fd() const override { return fd_.get(); }

 private:
  UniqueFd fd_;
};

Result<UniqueFd> new_socket(int family) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail(Status::from_errno(errno, "socket"));
  return fd;
}

Result<std::unique_ptr<Listener>> bind_and_listen(UniqueFd fd, const SocketAddress& address, const std::string& name) {
  if (bind(fd.get(), address.get(), address.bytes()) != 0 || listen(fd.get(), kBacklog) != 0)
    return fail(Status::from_errno(errno, "listen on " + name));
  return std::make_unique<UringListener>(fd.release());
}

Task<Result<std::unique_ptr<Socket>>> connect_to(SocketAddress address, std::string name, Until until) {
  UniqueFd fd = CO_TRY(new_socket(address.family()));
  const int32_t result = co_await UringReactor::current()->submit(
      [&](io_uring_sqe* sqe) { io_uring_prep_connect(sqe, fd.get(), address.get(), address.bytes()); }, until);
  if (result == -ETIME) co_return fail(Code::kTimedOut, "connect to " + name + ": timed out");
  if (result < 0) co_return fail(Status::from_errno(-result, "connect to " + name));
  send_small_writes_at_once(fd.get());
  co_return make_uring_socket(fd.release());
}

}  // namespace

std::unique_ptr<Socket> make_uring_socket(int fd) { return std::make_unique<UringSocket>(fd); }

Result<std::unique_ptr<Listener>> listen_unix(const std::string& path, mode_t mode) {
  SocketAddress address = TRY(SocketAddress::unix_path(path));
  UniqueFd fd = TRY(new_socket(AF_UNIX));
  struct stat st{};
  if (lstat(path.c_str(), &st) == 0 && S_ISSOCK(st.st_mode)) unlink(path.c_str());
  // Before bind, so that there is no moment when anyone may connect.
  if (fchmod(fd.get(), mode) != 0) return fail(Status::from_errno(errno, "chmod " + path));
  return bind_and_listen(std::move(fd), address, path);
}

Result<std::unique_ptr<Listener>> listen_tcp(const TcpAddress& where) {
  SocketAddress address = TRY(SocketAddress::tcp(where));
  UniqueFd fd = TRY(new_socket(address.family()));
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return bind_and_listen(std::move(fd), address, where.text());
}

Task<Result<std::unique_ptr<Socket>>> connect_unix(std::string path, Until until) {
  co_return co_await connect_to(CO_TRY(SocketAddress::unix_path(path)), path, until);
}

Task<Result<std::unique_ptr<Socket>>> connect_tcp(TcpAddress address, Until until) {
  co_return co_await connect_to(CO_TRY(SocketAddress::tcp(address)), address.text(), until);
}

}  // namespace firn::io
