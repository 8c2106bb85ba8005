#include "io/uring/uring_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "io/sync.h"
#include "io/test_environment.h"
#include "io/uring/uring_reactor.h"

namespace firn::io {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

class UringSocket : public testing::Test {
 protected:
  std::unique_ptr<TestEnvironment> environment_ = make_uring_environment();
  std::string path_ = environment_->path("s");
};

Task<void> echo(Listener* listener, Gate::Entry) {
  auto socket = co_await listener->accept(within(10 * kSecond));
  CO_REQUIRE(socket);
  std::vector<std::byte> buffer(50'000);
  for (;;) {
    const auto got = co_await (*socket)->recv(buffer, within(10 * kSecond));
    CO_REQUIRE(got);
    if (*got == 0) break;
    EXPECT_TRUE(co_await (*socket)->send(std::span(buffer).first(*got), within(10 * kSecond)));
  }
}

Task<void> send_all(Socket* socket, const std::string* text, Gate::Entry) {
  EXPECT_TRUE(co_await socket->send(std::as_bytes(std::span(*text)), within(10 * kSecond)));
  socket->shutdown(Socket::Side::kSend);
}

Task<void> receive_all(Socket* socket, std::string* into, Gate::Entry) {
  std::vector<std::byte> buffer(100'000);
  for (;;) {
    const auto got = co_await socket->recv(buffer, within(10 * kSecond));
    CO_REQUIRE(got);
    if (*got == 0) co_return;
    into->append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

using Connected = Task<Result<std::unique_ptr<Socket>>>;

Task<void> round_trip(Listener* listener, Connected connect) {
  Gate gate;
  detach(echo(listener, gate.enter()));
  auto socket = co_await std::move(connect);
  CO_REQUIRE(socket);
  std::string sent;
  for (int i = 0; i < 300'000; ++i) sent += std::to_string(i);
  detach(send_all(socket->get(), &sent, gate.enter()));
  std::string received;
  co_await receive_all(socket->get(), &received, gate.enter());
  EXPECT_TRUE(received == sent);
  co_await gate.close();
}

TEST_F(UringSocket, CarriesBytesOverUnix) {
  auto listener = listen_unix(path_).value();
  struct stat st{};
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  environment_->run(round_trip(listener.get(), connect_unix(path_, {})));
}

TEST_F(UringSocket, CarriesBytesOverTcp) {
  auto listener = listen_tcp({"127.0.0.1", 0}).value();
  const TcpAddress address = local_address_of(listener->fd()).value();
  ASSERT_NE(address.port, 0);
  environment_->run(round_trip(listener.get(), connect_tcp(address, {})));
}

// More than the kernel takes at once, so that the rest has to wait for the reader.
Task<void> send_ahead_of(Listener* listener, std::string path) {
  auto client = co_await connect_unix(path, {});
  auto server = co_await listener->accept({});
  CO_REQUIRE(client && server);
  const std::string head(3'000'000, 'h'), tail = "tail";
  Gate gate;
  std::string received;
  detach(receive_all(client->get(), &received, gate.enter()));
  EXPECT_TRUE(co_await (*server)->send_ahead(std::as_bytes(std::span(head)), within(10 * kSecond)));
  EXPECT_TRUE(co_await (*server)->send_ahead(std::as_bytes(std::span(head)).first(3), within(10 * kSecond)));
  EXPECT_TRUE(co_await (*server)->send(std::as_bytes(std::span(tail)), within(10 * kSecond)));
  (*server)->shutdown(Socket::Side::kBoth);
  co_await gate.close();
  EXPECT_TRUE(received == head + "hhhtail");
  EXPECT_EQ((co_await (*server)->send_ahead(std::as_bytes(std::span(tail)), within(kSecond))).error().code(),
            Code::kUnavailable);
}

TEST_F(UringSocket, WhatIsSentAheadComesFirst) {
  auto listener = listen_unix(path_).value();
  environment_->run(send_ahead_of(listener.get(), path_));
}

TEST_F(UringSocket, ReachesPathsLongerThanSunPath) {
  std::string folder = environment_->folder();
  for (int i = 0; i < 4; ++i) folder += "/" + std::string(60, 'x');
  std::filesystem::create_directories(folder);
  auto listener = listen_unix(folder + "/s").value();
  environment_->run(round_trip(listener.get(), connect_unix(folder + "/s", {})));
}

TEST_F(UringSocket, ReplacesALeftOverSocketButNotAFile) {
  (void)listen_unix(path_).value();
  EXPECT_TRUE(listen_unix(path_));
  std::filesystem::remove(path_);
  fclose(fopen(path_.c_str(), "w"));
  EXPECT_FALSE(listen_unix(path_));
}

Task<Code> connect_error(std::string path) { co_return (co_await connect_unix(path, {})).error().code(); }

TEST_F(UringSocket, ConnectingToNobodyFails) {
  EXPECT_EQ(environment_->run(connect_error(path_)), Code::kNotFound);
  (void)listen_unix(path_).value();
  EXPECT_EQ(environment_->run(connect_error(path_)), Code::kUnavailable);
}

Task<void> cancel_later(CancelToken* token, Gate::Entry) {
  (void)co_await sleep_for(kSecond / 100);
  token->cancel();
}

Task<void> ended_early(Listener* listener, std::string path) {
  EXPECT_EQ((co_await listener->accept(within(kSecond / 100))).error().code(), Code::kTimedOut);
  CancelToken token;
  Gate gate;
  detach(cancel_later(&token, gate.enter()));
  EXPECT_EQ((co_await listener->accept({.token = &token})).error().code(), Code::kInterrupted);
  co_await gate.close();

  auto client = co_await connect_unix(path, {});
  auto server = co_await listener->accept({});
  CO_REQUIRE(client && server);
  std::byte byte{};
  EXPECT_EQ((co_await (*server)->recv({&byte, 1}, within(kSecond / 100))).error().code(), Code::kTimedOut);
  client->reset();
  EXPECT_EQ(co_await (*server)->recv({&byte, 1}, {}), 0u);
  const std::vector<std::byte> data(1 << 20);
  EXPECT_EQ((co_await (*server)->send(data, within(kSecond))).error().code(), Code::kUnavailable);
}

TEST_F(UringSocket, DeadlinesAndTokensEndCalls) {
  auto listener = listen_unix(path_).value();
  environment_->run(ended_early(listener.get(), path_));
}

}  // namespace
}  // namespace firn::io
