// http::TlsSocket: TLS over any io::Socket, either side of it.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "io/socket.h"
#include "io/sync.h"

namespace firn::http {

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Ssl = std::unique_ptr<SSL, SslDeleter>;
using SslContext = std::unique_ptr<SSL_CTX, SslDeleter>;

// What OpenSSL has to say about the last failure, and forgets it.
std::string ssl_failure();

class TlsSocket final : public io::Socket {
 public:
  enum class Role : uint8_t { kServer, kClient };
  // Takes a fresh `ssl`. Nothing passes before handshake().
  TlsSocket(std::unique_ptr<io::Socket> inner, Ssl ssl, Role role);

  io::Task<Result<void>> handshake(io::Until until);

  // An end of the stream without TLS's own goodbye is kUnavailable: somebody may have cut it.
  io::Task<Result<size_t>> recv(std::span<std::byte> buffer, io::Until until) override;
  io::Task<Result<void>> send(std::span<const std::byte> data, io::Until until) override;
  // Says goodbye, if that can be sent at once.
  void shutdown(Side side) override;

 private:
  // After SSL_* wants something: sends what it has to say and, where it wants to hear, receives.
  io::Task<Result<void>> go_on(int result, io::Until until);
  io::Task<Result<void>> flush(io::Until until);

  const std::unique_ptr<io::Socket> inner_;
  const Ssl ssl_;
  BIO* const incoming_;  // ssl_'s
  BIO* const outgoing_;  // ssl_'s
  std::vector<std::byte> received_;
  io::Mutex sending_;  // inner_'s one send: recv() may have to answer
};

}  // namespace firn::http
