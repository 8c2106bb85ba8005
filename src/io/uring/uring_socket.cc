#include "io/uring/uring_socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>

#include "io/unique_fd.h"
#include "io/uring/page_cache.h"
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

// Of TCP, of this machine; those of Unix sockets are smaller.
size_t largest_receive_buffer() {
  constexpr size_t kWhereUnknown = 64 << 20;
  static const size_t bytes = [] {
    size_t least = 0, fresh = 0, most = kWhereUnknown;
    std::ifstream("/proc/sys/net/ipv4/tcp_rmem") >> least >> fresh >> most;
    return std::max(fresh, most);
  }();
  return bytes;
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

  Task<Result<void>> send_ahead(std::span<const std::byte> data, Until until) override {
    // Without the ring where there is room.
    const ssize_t sent = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
    const auto done = static_cast<size_t>(std::max<ssize_t>(sent, 0));
    co_return co_await send(data.subspan(done), until);
  }

  Task<Result<size_t>> send_file(File& file, uint64_t offset, size_t bytes, Until until) override;
  Task<Result<void>> acknowledged(size_t but_bytes, Until until) override;
  bool sends_pages() const override { return true; }
  size_t most_unread_bytes() const override { return largest_receive_buffer(); }

  void shutdown(Side side) override {
    const int how = side == Side::kReceive ? SHUT_RD : side == Side::kSend ? SHUT_WR : SHUT_RDWR;
    ::shutdown(fd_.get(), how);
  }

  int fd() const override { return fd_.get(); }

 private:
  // For sendfile(2), which cannot be told otherwise not to wait. The ring's own operations go on waiting.
  void make_nonblocking() {
    if (nonblocking_) return;
    nonblocking_ = true;
    fcntl(fd_.get(), F_SETFL, fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  }

  UniqueFd fd_;
  bool nonblocking_ = false;
};

// Only what is in the page cache, for sendfile(2) would wait for the device on the reactor; reading brings in what is
// not. IORING_OP_SPLICE would wait in a thread of the kernel's for each slow peer.
Task<Result<size_t>> UringSocket::send_file(File& file, uint64_t offset, size_t bytes, Until until) {
  constexpr size_t kSliceBytes = 1 << 20;  // in one call, during which the reactor does nothing else
  const size_t count = std::min(bytes, kSliceBytes);
  if (file.fd() < 0 || !internal::in_page_cache(file.fd(), offset, count))
    co_return co_await Socket::send_file(file, offset, bytes, until);
  if (until.token && until.token->cancelled()) co_return fail(Code::kInterrupted);
  make_nonblocking();
  for (;;) {
    auto from = static_cast<off_t>(offset);
    const ssize_t sent = ::sendfile(fd_.get(), file.fd(), &from, count);
    if (sent >= 0) co_return static_cast<size_t>(sent);
    if (errno != EAGAIN && errno != EINTR) co_return fail(Status::from_errno(errno));
    const int32_t writable = co_await UringReactor::current()->submit(
        [this](io_uring_sqe* sqe) { io_uring_prep_poll_add(sqe, fd_.get(), POLLOUT); }, until);
    CO_TRY(check(writable));
  }
}

// Nothing tells when a queue has become shorter than some length.
Task<Result<void>> UringSocket::acknowledged(size_t but_bytes, Until until) {
  constexpr int64_t kFirstPauseNs = 50'000, kLongestPauseNs = 10'000'000;
  Clock& clock = UringReactor::current()->clock();
  for (int64_t pause_ns = kFirstPauseNs;; pause_ns = std::min(pause_ns * 2, kLongestPauseNs)) {
    int queued = 0;
    if (ioctl(fd_.get(), SIOCOUTQ, &queued) != 0) co_return fail(Status::from_errno(errno));
    if (static_cast<size_t>(queued) <= but_bytes) co_return {};
    if (until.deadline_ns != 0 && clock.monotonic_ns() >= until.deadline_ns) co_return fail(Code::kTimedOut);
    if (!co_await sleep_for(pause_ns, until.token)) co_return fail(Code::kInterrupted);
  }
}

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
