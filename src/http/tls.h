// http::Tls: makes encrypted connections out of accepted ones. TLS 1.2 and 1.3, by OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "io/socket.h"

namespace firn::http {

// Thread-safe.
class Tls {
 public:
  struct Files {
    std::string certificate;  // PEM: the server's own first, then those between it and an authority
    std::string key;          // PEM, without a passphrase
  };
  // kInvalid, with the file and what is wrong with it.
  static Result<std::unique_ptr<Tls>> load(Files files);
  virtual ~Tls() = default;

  // Shakes hands with the client. Files that have changed since are read again before; if they are no good the former
  // ones serve on. The socket that results has no descriptor: nothing must pass by it.
  virtual io::Task<Result<std::unique_ptr<io::Socket>>> accept(std::unique_ptr<io::Socket> socket, io::Until until) = 0;
};

}  // namespace firn::http
