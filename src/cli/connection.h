// cli::Connection: a blocking byte stream to a daemon, over its Unix socket, TCP or TLS.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>

#include "cli/remote.h"
#include "cli/volume_folder.h"
#include "io/unique_fd.h"

namespace firn::cli {

class Connection {
 public:
  // kUnavailable, with what to do, when nobody serves the volume, or answers at the address.
  static Result<Connection> to_volume(const VolumePaths& paths);
  // With TLS, the server must show a certificate for its name that an authority vouches for.
  static Result<Connection> to_remote(const Remote& remote);

  // kUnavailable: the other end is gone. Both wait for minutes at most.
  Status write(std::span<const std::byte> data);
  // 0 at the end of the stream.
  Result<size_t> read(std::span<std::byte> buffer);
  // Whether something has come that read() would yield, or the end; does not wait.
  bool readable();

 private:
  struct SslEnd {
    void operator()(SSL* ssl) const;
  };

  explicit Connection(io::UniqueFd fd) : fd_(std::move(fd)) {}
  Status start_tls(const Remote& remote);

  io::UniqueFd fd_;
  std::unique_ptr<SSL, SslEnd> ssl_;  // null: plain
};

}  // namespace firn::cli
