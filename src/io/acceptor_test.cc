#include "io/acceptor.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "io/test_environment.h"
#include "io/uring/reactor_pool.h"
#include "io/uring/uring_socket.h"

namespace firn::io {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

struct Served {
  std::array<std::atomic<unsigned>, 2> by_reactor;
  CancelToken end;
};

// Until it is told to end, or the peer leaves.
Task<void> hold(Served* served, std::unique_ptr<Socket> socket, Gate::Entry) {
  ++served->by_reactor[Reactor::current()->index()];
  std::byte byte{};
  EXPECT_TRUE(co_await socket->send({&byte, 1}, within(10 * kSecond)));
  (void)co_await socket->recv({&byte, 1}, {.token = &served->end});
}

Task<void> connect_and_stop(Acceptor* acceptor, Served* served) {
  auto listener = listen_tcp({"127.0.0.1", 0}).value();
  const TcpAddress address = local_address_of(listener->fd()).value();
  acceptor->start(std::move(listener));
  std::vector<std::unique_ptr<Socket>> clients;
  std::byte byte{};
  for (int i = 0; i < 10; ++i) {
    auto client = co_await connect_tcp(address, within(10 * kSecond));
    CO_REQUIRE(client);
    EXPECT_EQ((co_await (*client)->recv({&byte, 1}, within(10 * kSecond))).value_or(0), 1u);
    clients.push_back(*std::move(client));
  }
  served->end.cancel();
  co_await acceptor->stop();
  for (const auto& client : clients)
    EXPECT_EQ((co_await client->recv({&byte, 1}, within(10 * kSecond))).value_or(1), 0u);
  EXPECT_FALSE(co_await connect_tcp(address, within(10 * kSecond)));
}

TEST(Acceptor, SpreadsConnectionsAndStopsWithTheLast) {
  auto pool = ReactorPool::create({.reactors = 2, .entries = 64}).value();
  Served served;
  Acceptor acceptor({.name = "test", .reactors = pool->all(), .serve = [&](auto socket, Gate::Entry entry) {
                       return hold(&served, std::move(socket), std::move(entry));
                     }});
  block_on(*pool, connect_and_stop(&acceptor, &served));
  EXPECT_EQ(served.by_reactor[0], 5u);
  EXPECT_EQ(served.by_reactor[1], 5u);
}

}  // namespace
}  // namespace firn::io
