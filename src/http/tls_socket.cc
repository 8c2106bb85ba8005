#include "http/tls_socket.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/check.h"

namespace firn::http {
namespace {

constexpr size_t kReceiveBytes = 32 << 10;
constexpr size_t kSendBytes = 64 << 10;  // encrypted before it is sent

}  // namespace

std::string ssl_failure() {
  char text[256] = "unknown failure";
  if (const unsigned long error = ERR_get_error(); error != 0) ERR_error_string_n(error, text, sizeof text);
  ERR_clear_error();
  return text;
}

TlsSocket::TlsSocket(std::unique_ptr<io::Socket> inner, Ssl ssl, Role role)
    : inner_(std::move(inner)),
      ssl_(std::move(ssl)),
      incoming_(BIO_new(BIO_s_mem())),
      outgoing_(BIO_new(BIO_s_mem())),
      received_(kReceiveBytes) {
  CHECK(incoming_ && outgoing_);
  // An empty memory is no end of the stream.
  BIO_set_mem_eof_return(incoming_, -1);
  SSL_set_bio(ssl_.get(), incoming_, outgoing_);
  role == Role::kServer ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

io::Task<Result<void>> TlsSocket::flush(io::Until until) {
  const io::Mutex::Guard guard = co_await sending_.lock();
  while (const size_t pending = BIO_ctrl_pending(outgoing_)) {
    std::vector<std::byte> data(pending);
    const int bytes = BIO_read(outgoing_, data.data(), static_cast<int>(data.size()));
    CHECK(bytes > 0);
    CO_TRY(co_await inner_->send(std::span(data).first(static_cast<size_t>(bytes)), until));
  }
  co_return {};
}

io::Task<Result<void>> TlsSocket::go_on(int result, io::Until until) {
  const int wants = SSL_get_error(ssl_.get(), result);
  if (wants != SSL_ERROR_WANT_READ) {
    std::string why = ssl_failure();
    (void)co_await flush(until);  // an alert tells the other end why, if it arrives
    co_return fail(Code::kUnavailable, "TLS: " + why);
  }
  CO_TRY(co_await flush(until));
  const size_t bytes = CO_TRY(co_await inner_->recv(received_, until));
  if (bytes == 0) co_return fail(Code::kUnavailable, "the connection ended without TLS's goodbye");
  CHECK(BIO_write(incoming_, received_.data(), static_cast<int>(bytes)) == static_cast<int>(bytes));
  co_return {};
}

io::Task<Result<void>> TlsSocket::handshake(io::Until until) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) co_return co_await flush(until);
    CO_TRY(co_await go_on(result, until));
  }
}

io::Task<Result<size_t>> TlsSocket::recv(std::span<std::byte> buffer, io::Until until) {
  for (;;) {
    ERR_clear_error();
    const int room = static_cast<int>(std::min<size_t>(buffer.size(), INT32_MAX));
    const int bytes = SSL_read(ssl_.get(), buffer.data(), room);
    if (bytes > 0) co_return static_cast<size_t>(bytes);
    if (SSL_get_error(ssl_.get(), bytes) == SSL_ERROR_ZERO_RETURN) co_return size_t{0};
    CO_TRY(co_await go_on(bytes, until));
  }
}

io::Task<Result<void>> TlsSocket::send(std::span<const std::byte> data, io::Until until) {
  while (!data.empty()) {
    const auto part = data.first(std::min(data.size(), kSendBytes));
    ERR_clear_error();
    const int bytes = SSL_write(ssl_.get(), part.data(), static_cast<int>(part.size()));
    if (bytes <= 0) {
      CO_TRY(co_await go_on(bytes, until));
      continue;
    }
    CO_TRY(co_await flush(until));
    data = data.subspan(static_cast<size_t>(bytes));
  }
  co_return {};
}

void TlsSocket::shutdown(Side side) {
  ERR_clear_error();
  // With nothing else under way: the goodbye must not stand in the middle of it.
  const io::Mutex::Guard guard = sending_.try_lock();
  if (side != Side::kReceive && guard && SSL_is_init_finished(ssl_.get()) && BIO_ctrl_pending(outgoing_) == 0) {
    SSL_shutdown(ssl_.get());
    std::byte goodbye[256];
    const int bytes = BIO_read(outgoing_, goodbye, sizeof goodbye);
    if (bytes > 0 && inner_->fd() >= 0)
      (void)::send(inner_->fd(), goodbye, static_cast<size_t>(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  inner_->shutdown(side);
}

}  // namespace firn::http
