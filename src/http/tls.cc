#include "http/tls.h"

#include <sys/stat.h>

#include <array>
#include <mutex>

#include "base/log.h"
#include "base/time.h"
#include "http/tls_socket.h"

namespace firn::http {
namespace {

constexpr int64_t kLookEveryNs = 1'000'000'000;

// Changes when the files do.
struct Stamp {
  std::array<int64_t, 4> of_certificate{}, of_key{};
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

std::array<int64_t, 4> stamp_of(const std::string& file) {
  struct stat info{};
  if (stat(file.c_str(), &info) != 0) return {};
  return {static_cast<int64_t>(info.st_ino), info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

Stamp stamp_of(const Tls::Files& files) { return {stamp_of(files.certificate), stamp_of(files.key)}; }

int no_passphrase(char*, int, int, void*) { return 0; }

Result<SslContext> read_files(const Tls::Files& files) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(Code::kInternal, "OpenSSL: " + ssl_failure());
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1)
    return fail(Code::kInvalid, files.certificate + ": no certificate in PEM form can be read: " + ssl_failure());
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Code::kInvalid, files.key + ": not the key of the certificate, in PEM form: " + ssl_failure());
  return context;
}

class FileTls final : public Tls {
 public:
  FileTls(Files files, Stamp stamp, SslContext context)
      : files_(std::move(files)), stamp_(stamp), context_(std::move(context)) {}

  io::Task<Result<std::unique_ptr<io::Socket>>> accept(std::unique_ptr<io::Socket> socket, io::Until until) override {
    Ssl ssl = new_ssl();
    if (!ssl) co_return fail(Code::kNoMemory, "OpenSSL: " + ssl_failure());
    auto secured = std::make_unique<TlsSocket>(std::move(socket), std::move(ssl), TlsSocket::Role::kServer);
    CO_TRY(co_await secured->handshake(until));
    co_return secured;
  }

 private:
  Ssl new_ssl() {
    const std::lock_guard lock(context_mutex_);
    const int64_t now_ns = system_clock().monotonic_ns();
    if (now_ns >= look_ns_) {
      look_ns_ = now_ns + kLookEveryNs;
      read_again();
    }
    return Ssl(SSL_new(context_.get()));  // keeps the context that it is made of
  }

  void read_again() {
    const Stamp now = stamp_of(files_);
    if (now == stamp_) return;
    stamp_ = now;
    Result<SslContext> fresh = read_files(files_);
    if (fresh) {
      context_ = *std::move(fresh);
      log::info("http: {} was read again", files_.certificate);
    } else {
      log::warning("http: the former certificate serves on: {}", fresh.error().to_string());
    }
  }

  const Files files_;
  std::mutex context_mutex_;  // guards what follows; held while changed files are read, which are small
  Stamp stamp_;
  SslContext context_;
  int64_t look_ns_ = 0;
};

}  // namespace

Result<std::unique_ptr<Tls>> Tls::load(Files files) {
  const Stamp stamp = stamp_of(files);
  SslContext context = TRY(read_files(files));
  return std::make_unique<FileTls>(std::move(files), stamp, std::move(context));
}

}  // namespace firn::http
