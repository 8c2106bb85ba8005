#include "io/tcp_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "io/unique_fd.h"

namespace firn::io {
namespace {

TcpAddress parsed(std::string_view text) {
  Result<TcpAddress> address = parse_tcp_address(text, 7734);
  EXPECT_TRUE(address) << text;
  return address ? *address : TcpAddress{};
}

TEST(TcpAddress, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parsed("127.0.0.1:80"), (TcpAddress{"127.0.0.1", 80}));
  EXPECT_EQ(parsed("0.0.0.0"), (TcpAddress{"0.0.0.0", 7734}));
  EXPECT_EQ(parsed(":80"), (TcpAddress{"0.0.0.0", 80}));
  EXPECT_EQ(parsed("*:80"), (TcpAddress{"0.0.0.0", 80}));
  EXPECT_EQ(parsed("localhost"), (TcpAddress{"127.0.0.1", 7734}));
  EXPECT_EQ(parsed("[::1]:80"), (TcpAddress{"::1", 80}));
  EXPECT_EQ(parsed("[::]"), (TcpAddress{"::", 7734}));
  EXPECT_EQ(parsed("fe80::2"), (TcpAddress{"fe80::2", 7734}));
}

TEST(TcpAddress, RefusesTheRest) {
  for (const char* text : {"host:80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:8x", "[::1",
                           "[::1]80", "1.2.3:80", "300.0.0.1", "127.0.0.1 :80"})
    EXPECT_EQ(parse_tcp_address(text, 7734).error(), Code::kInvalid) << text;
}

TEST(TcpAddress, HasAText) {
  EXPECT_EQ((TcpAddress{"127.0.0.1", 80}).text(), "127.0.0.1:80");
  EXPECT_EQ((TcpAddress{"::1", 80}).text(), "[::1]:80");
}

TEST(TcpAddress, KnowsLoopback) {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE((TcpAddress{host, 1}).loopback()) << host;
  for (const char* host : {"0.0.0.0", "128.0.0.1", "::", "fe80::1", "::ffff:10.0.0.1", ""})
    EXPECT_FALSE((TcpAddress{host, 1}).loopback()) << host;
}

TEST(TcpAddress, OfASocket) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const Result<TcpAddress> local = local_address_of(fd.get());
  ASSERT_TRUE(local);
  EXPECT_EQ(local->host, "127.0.0.1");
  EXPECT_NE(local->port, 0);
  EXPECT_FALSE(peer_address_of(fd.get()));  // not connected

  UniqueFd local_only(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(local_address_of(local_only.get()).error(), Code::kNotSupported);
}

}  // namespace
}  // namespace firn::io
