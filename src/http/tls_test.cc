// TLS over any socket: content, the goodbye, a cut stream, certificates that change.
#include "http/tls.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "http/tls_socket.h"
#include "io/block_on.h"
#include "io/sim/sim_reactor.h"

namespace firn::http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

struct Pipe {
  std::string text;
  bool closed = false;
};

// One end of a pair on simulated time.
class PipeSocket final : public io::Socket {
 public:
  PipeSocket(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out) : in_(std::move(in)), out_(std::move(out)) {}
  ~PipeSocket() override { out_->closed = true; }

  io::Task<Result<size_t>> recv(std::span<std::byte> buffer, io::Until until) override {
    while (in_->text.empty() && !in_->closed) {
      if (until.deadline_ns != 0 && io::Reactor::current()->clock().monotonic_ns() >= until.deadline_ns)
        co_return fail(Code::kTimedOut);
      co_await io::sleep_for(1'000'000);
    }
    const size_t bytes = std::min(buffer.size(), in_->text.size());
    std::memcpy(buffer.data(), in_->text.data(), bytes);
    in_->text.erase(0, bytes);
    co_return bytes;
  }
  io::Task<Result<void>> send(std::span<const std::byte> data, io::Until) override {
    out_->text.append(reinterpret_cast<const char*>(data.data()), data.size());
    co_return {};
  }
  void shutdown(Side) override { out_->closed = true; }

 private:
  const std::shared_ptr<Pipe> in_, out_;
};

void write_certificate(const Tls::Files& files, const std::string& name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, subject);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  ASSERT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
  FILE* file = fopen(files.certificate.c_str(), "w");
  PEM_write_X509(file, certificate);
  fclose(file);
  file = fopen(files.key.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    write_certificate(files_, "first");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<io::Socket> server_end() { return std::make_unique<PipeSocket>(to_server_, to_client_); }
  std::unique_ptr<TlsSocket> client() {
    const SslContext context(SSL_CTX_new(TLS_client_method()));
    return std::make_unique<TlsSocket>(std::make_unique<PipeSocket>(to_client_, to_server_),
                                       Ssl(SSL_new(context.get())), TlsSocket::Role::kClient);
  }

  const std::string folder_ = testing::TempDir() + fmt::format("firn_tls_test.{}", getpid());
  const Tls::Files files_{.certificate = folder_ + "/certificate.pem", .key = folder_ + "/key.pem"};
  std::shared_ptr<Pipe> to_server_ = std::make_shared<Pipe>(), to_client_ = std::make_shared<Pipe>();
};

io::Task<void> echo(Tls* tls, std::unique_ptr<io::Socket> raw, io::Gate::Entry) {
  auto socket = co_await tls->accept(std::move(raw), io::within(kSecond));
  if (!socket) {
    ADD_FAILURE() << socket.error().to_string();
    co_return;
  }
  EXPECT_EQ((*socket)->fd(), -1) << "nothing may pass by it";
  std::vector<std::byte> buffer(10'000);
  for (;;) {
    const auto bytes = co_await (*socket)->recv(buffer, io::within(kSecond));
    if (!bytes || *bytes == 0) break;
    EXPECT_TRUE(co_await (*socket)->send(std::span(buffer).first(*bytes), io::within(kSecond)));
  }
  (*socket)->shutdown(io::Socket::Side::kBoth);
}

io::Task<std::string> talk(Tls* tls, std::unique_ptr<io::Socket> server, TlsSocket* client, std::string text) {
  io::Gate gate;
  io::detach(echo(tls, std::move(server), gate.enter()));
  std::string received;
  if (co_await client->handshake(io::within(kSecond))) {
    EXPECT_TRUE(co_await client->send(std::as_bytes(std::span(text)), io::within(kSecond)));
    std::vector<std::byte> buffer(100'000);
    while (received.size() < text.size()) {
      const auto bytes = co_await client->recv(buffer, io::within(kSecond));
      if (!bytes) break;
      received.append(reinterpret_cast<const char*>(buffer.data()), *bytes);
    }
  }
  client->shutdown(io::Socket::Side::kBoth);
  co_await gate.close();
  co_return received;
}

TEST_F(TlsTest, CarriesContent) {
  const auto tls = Tls::load(files_);
  ASSERT_TRUE(tls) << tls.error().to_string();
  io::SimReactor reactor;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
  const auto other = client();
  EXPECT_TRUE(io::run_to_end(reactor, talk(tls->get(), server_end(), other.get(), text)) == text);
}

io::Task<Code> code_of_accept(Tls* tls, std::unique_ptr<io::Socket> raw) {
  const auto socket = co_await tls->accept(std::move(raw), io::within(kSecond));
  co_return socket ? Code::kOk : socket.error().code();
}

TEST_F(TlsTest, WhatIsNoHandshakeEnds) {
  const auto tls = Tls::load(files_).value();
  io::SimReactor reactor;
  EXPECT_EQ(io::run_to_end(reactor, code_of_accept(tls.get(), server_end())), Code::kTimedOut);
  to_server_->text = "GET / HTTP/1.1\r\n\r\n";
  to_client_->closed = false;
  EXPECT_EQ(io::run_to_end(reactor, code_of_accept(tls.get(), server_end())), Code::kUnavailable);
}

io::Task<Code> code_of_recv(TlsSocket* socket) {
  std::byte one{};
  const auto bytes = co_await socket->recv(std::span(&one, 1), io::within(kSecond));
  co_return bytes ? Code::kOk : bytes.error().code();
}

TEST_F(TlsTest, ACutIsNoEnd) {
  const auto tls = Tls::load(files_).value();
  io::SimReactor reactor;
  const auto other = client();
  EXPECT_EQ(io::run_to_end(reactor, talk(tls.get(), server_end(), other.get(), "hello")), "hello");
  // The pipe ended; it has no descriptor for the goodbye.
  EXPECT_EQ(io::run_to_end(reactor, code_of_recv(other.get())), Code::kUnavailable);
}

TEST_F(TlsTest, FilesThatAreNoGoodAreNamed) {
  std::ofstream(files_.key) << "no key";
  const auto no_key = Tls::load(files_);
  ASSERT_FALSE(no_key);
  EXPECT_NE(no_key.error().message().find(files_.key), std::string::npos);
  std::filesystem::remove(files_.certificate);
  const auto no_certificate = Tls::load(files_);
  ASSERT_FALSE(no_certificate);
  EXPECT_NE(no_certificate.error().message().find(files_.certificate), std::string::npos);
}

}  // namespace
}  // namespace firn::http
