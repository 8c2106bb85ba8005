// Bad servers, bad keys, bad clocks; and a real server that goes away and comes back.
#include "object/s3/s3_store.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/check.h"
#include "io/sync.h"
#include "io/test_environment.h"
#include "io/unique_fd.h"
#include "object/testing/s3_server.h"
#include "object/testing/scripted_server.h"
#include "object/wrappers.h"

namespace firn::object {
namespace {

using testing::Answer;
using testing::answer;
using testing::S3Server;
using testing::ScriptedServer;

constexpr int64_t kSecondNs = 1'000'000'000;

class S3StoreTest : public ::testing::Test {
 protected:
  static s3::Environment keys(const std::string& url) {
    return {.variables = {{"AWS_ACCESS_KEY_ID", "k"},
                          {"AWS_SECRET_ACCESS_KEY", "s"},
                          {"AWS_ENDPOINT_URL", url},
                          {"AWS_EC2_METADATA_DISABLED", "true"}}};
  }
  std::unique_ptr<ObjectStore> open(const ScriptedServer& server) {
    return open_s3_store(s3_options("s3://bucket/p", keys(server.url())).value(), keys(server.url()),
                         environment->pool());
  }
  io::Task<Result<Fetched>> get(ObjectStore* store, int64_t within_ns = 10 * kSecondNs) {
    co_return co_await store->get("k", 0, 100, io::within(within_ns));
  }
  io::Task<Result<void>> put(ObjectStore* store, std::string bytes, int64_t within_ns = 10 * kSecondNs) {
    co_return co_await store->put("k", Content(std::move(bytes)), {}, io::within(within_ns));
  }

  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
};

TEST_F(S3StoreTest, SendsASignedRequest) {
  ScriptedServer server({answer(206, "hello", "Content-Range: bytes 0-4/5\r\n")});
  const auto store = open(server);
  const auto got = environment->run(get(store.get()));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->bytes, "hello");
  const std::string request = server.requests()[0];
  EXPECT_TRUE(request.starts_with("GET /bucket/p/k HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("authorization: AWS4-HMAC-SHA256 Credential=k/"), std::string::npos);
  EXPECT_NE(request.find("range: bytes=0-99"), std::string::npos);
}

TEST_F(S3StoreTest, KeepsItsConnection) {
  ScriptedServer server({answer(200, ""), answer(206, "hello", "Content-Range: bytes 0-4/5\r\n"), answer(404, "")});
  const auto store = open(server);
  EXPECT_TRUE(environment->run(put(store.get(), "hello")));
  EXPECT_TRUE(environment->run(get(store.get())));
  EXPECT_FALSE(environment->run(get(store.get())));
  EXPECT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(server.connections(), 1u);
}

// The bucket in the host's name, as Amazon has it.
TEST_F(S3StoreTest, SignsTheHostThatHasTheBucketsName) {
  ScriptedServer server({answer(206, "hello", "Content-Range: bytes 0-4/5\r\n")});
  const std::string port = server.url().substr(server.url().rfind(':'));
  const s3::Environment environment_of_test = keys("http://localhost" + port);
  S3Options options = s3_options("s3://bucket/p", environment_of_test).value();
  options.path_style = false;
  const auto store = open_s3_store(options, environment_of_test, environment->pool());
  const auto got = environment->run(get(store.get()));
  ASSERT_TRUE(got) << got.error().to_string();
  const std::string request = server.requests()[0];
  EXPECT_TRUE(request.starts_with("GET /p/k HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Host: bucket.localhost" + port), std::string::npos) << request;
  EXPECT_NE(request.find("SignedHeaders=host;"), std::string::npos) << request;
}

TEST_F(S3StoreTest, UnderstandsRefusals) {
  const auto xml = [](const char* code) { return "<Error><Code>" + std::string(code) + "</Code></Error>"; };
  ScriptedServer server({answer(503, xml("SlowDown")), answer(404, xml("NoSuchBucket")), answer(404, xml("NoSuchKey")),
                         answer(403, xml("AccessDenied")), answer(500, "<html>gateway</html>")});
  const auto store = open(server);
  for (const Code expected :
       {Code::kUnavailable, Code::kNoDevice, Code::kNotFound, Code::kAccessDenied, Code::kUnavailable})
    EXPECT_EQ(environment->run(get(store.get())).error(), expected);
}

TEST_F(S3StoreTest, NoticesAnswersThatAreCutShort) {
  ScriptedServer server(
      {{.bytes = "HTTP/1.1 206 OK\r\nContent-Length: 100\r\nContent-Range: bytes 0-99/100\r\n\r\nshort", .close = true},
       {.bytes = "", .close = true},
       {.bytes = "garbage\r\n\r\n", .close = true},
       answer(206, "hello", "Content-Range: bytes 0-99/100\r\n"),
       answer(206, "hello"),
       answer(200, std::string(101, 'x'))});
  const auto store = open(server);
  for (int i = 0; i < 6; ++i) {
    const auto got = environment->run(get(store.get()));
    ASSERT_FALSE(got) << i;
    EXPECT_EQ(got.error(), Code::kUnavailable) << i << ": " << got.error().to_string();
  }
}

TEST_F(S3StoreTest, BoundsWhatItReads) {
  ScriptedServer server({answer(206, std::string(1 << 20, 'x'), "Content-Range: bytes 0-1048575/1048576\r\n")});
  const auto store = open(server);
  EXPECT_EQ(environment->run(get(store.get())).error(), Code::kUnavailable);
}

TEST_F(S3StoreTest, EndsWhatHangs) {
  ScriptedServer server(
      {{.bytes = "", .hang = true}, {.bytes = "HTTP/1.1 206 OK\r\nContent-Length: 100\r\n\r\nsome", .hang = true}});
  const auto store = open(server);
  EXPECT_EQ(environment->run(get(store.get(), kSecondNs / 10)).error(), Code::kTimedOut);
  EXPECT_EQ(environment->run(get(store.get(), kSecondNs / 10)).error(), Code::kTimedOut);
}

// Takes one request, at so many bytes every 50 ms, and answers it.
class SlowReader {
 public:
  SlowReader(size_t bytes_at_once, uint64_t body_bytes) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int buffer = 32 << 10;  // what the kernel takes in itself the sender does not see
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(::listen(listener_.get(), 1) == 0);
    CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, bytes_at_once, body_bytes] { serve(bytes_at_once, body_bytes); });
  }
  ~SlowReader() { thread_.join(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void serve(size_t bytes_at_once, uint64_t body_bytes) const {
    const io::UniqueFd connection(::accept(listener_.get(), nullptr, nullptr));
    std::string buffer(bytes_at_once, '\0');
    for (uint64_t got = 0; got < body_bytes; ::usleep(50'000)) {
      const ssize_t some = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
      if (some <= 0) return;
      got += static_cast<uint64_t>(some);
    }
    ::usleep(50'000);
    const std::string answer_bytes = answer(200, "").bytes;
    (void)::send(connection.get(), answer_bytes.data(), answer_bytes.size(), MSG_NOSIGNAL);
    char last = 0;
    while (::recv(connection.get(), &last, 1, 0) > 0) {
    }
  }

  const io::UniqueFd listener_;
  int port_ = 0;
  std::thread thread_;
};

// Most of the body lies in the socket before long, and goes out at half a MiB a second.
TEST_F(S3StoreTest, WhatWaitsInTheSocketMoves) {
  constexpr uint64_t kBodyBytes = 3 << 20;
  const SlowReader server(32 << 10, kBodyBytes);
  S3Options options = s3_options("s3://bucket/p", keys(server.url())).value();
  options.http.stall_timeout_ns = kSecondNs;
  const auto store = open_s3_store(options, keys(server.url()), environment->pool());
  const auto done = environment->run(put(store.get(), std::string(kBodyBytes, 'x'), 60 * kSecondNs));
  EXPECT_TRUE(done) << done.error().to_string();
}

TEST_F(S3StoreTest, NoticesAStall) {
  ScriptedServer server(
      {{.bytes = "", .hang = true}, {.bytes = "HTTP/1.1 206 OK\r\nContent-Length: 100\r\n\r\nsome", .hang = true}});
  S3Options options = s3_options("s3://bucket/p", keys(server.url())).value();
  options.http.stall_timeout_ns = kSecondNs / 4;
  const auto store = open_s3_store(options, keys(server.url()), environment->pool());
  for (int i = 0; i < 2; ++i) {
    const auto got = environment->run(get(store.get(), 60 * kSecondNs));
    EXPECT_EQ(got.error(), Code::kTimedOut);
    EXPECT_NE(got.error().message().find("nothing was sent or received"), std::string::npos) << got.error().message();
  }
}

TEST_F(S3StoreTest, TellsWhatComesThoughItDoesNotEnd) {
  ScriptedServer server({{.bytes = "HTTP/1.1 206 OK\r\nContent-Length: 100\r\n\r\nsome", .hang = true}});
  S3Options options = s3_options("s3://bucket/p", keys(server.url())).value();
  std::atomic<uint64_t> arrived = 0;
  options.http.on_arrival = [&](uint64_t bytes) { arrived += bytes; };
  const auto store = open_s3_store(options, keys(server.url()), environment->pool());
  EXPECT_EQ(environment->run(get(store.get(), kSecondNs)).error(), Code::kTimedOut);
  EXPECT_EQ(arrived, 4u);
}

io::Task<void> cancel_soon(io::CancelToken* token) {
  co_await io::sleep_for(kSecondNs / 20);
  token->cancel();
}
io::Task<Result<Fetched>> cancelled_get(ObjectStore* store, io::CancelToken* token) {
  io::detach(cancel_soon(token));
  co_return co_await store->get("k", 0, 100, {.token = token});
}
TEST_F(S3StoreTest, StopsWhenCancelled) {
  ScriptedServer server({{.bytes = "", .hang = true}});
  const auto store = open(server);
  io::CancelToken token;
  EXPECT_EQ(environment->run(cancelled_get(store.get(), &token)).error(), Code::kInterrupted);
  EXPECT_EQ(environment->run(store->get("k", 0, 100, {.token = &token})).error(), Code::kInterrupted);
}

TEST_F(S3StoreTest, CorrectsItsClock) {
  ScriptedServer server(
      {answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", "Date: Wed, 21 Oct 2037 07:28:00 GMT\r\n"),
       answer(206, "x", "Content-Range: bytes 0-0/1\r\n")});
  const auto store = open(server);
  EXPECT_TRUE(environment->run(get(store.get())));
  EXPECT_NE(server.requests()[1].find("x-amz-date: 20371021T0728"), std::string::npos) << server.requests()[1];
}

TEST_F(S3StoreTest, TellsOfRequestsBeyondACallsFirst) {
  ScriptedServer server(
      {answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", "Date: Wed, 21 Oct 2037 07:28:00 GMT\r\n"),
       answer(200, ""),
       answer(416, ""),
       {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
       answer(206, "x", "Content-Range: bytes 0-0/1\r\n")});
  S3Options options = s3_options("s3://bucket/p", keys(server.url())).value();
  std::vector<Kind> further;
  options.on_further_request = [&](Kind kind) { further.push_back(kind); };
  const auto store = open_s3_store(options, keys(server.url()), environment->pool());
  EXPECT_TRUE(environment->run(put(store.get(), "x")));
  EXPECT_EQ(further, std::vector{Kind::kPut});
  const auto past_the_end = environment->run(get(store.get()));
  ASSERT_TRUE(past_the_end) << past_the_end.error().to_string();
  EXPECT_EQ(past_the_end->object_bytes, 5u);
  EXPECT_EQ(further, (std::vector{Kind::kPut, Kind::kHead}));
  EXPECT_TRUE(environment->run(get(store.get())));
  EXPECT_EQ(server.requests().size(), 3 + further.size());
}

io::Task<Result<Fetched>> second_get(ObjectStore* store, const ScriptedServer* server) {
  io::Gate gate;
  io::CancelToken enough;
  const auto first = [](ObjectStore* of, io::CancelToken* token, io::Gate::Entry) -> io::Task<void> {
    (void)co_await of->get("first", 0, 100, {.token = token});
  };
  io::detach(first(store, &enough, gate.enter()));
  while (server->requests().empty()) co_await io::sleep_for(kSecondNs / 100);
  Result<Fetched> got = co_await store->get("second", 0, 100, io::within(5 * kSecondNs));
  enough.cancel();
  co_await gate.close();
  co_return got;
}
// libcurl does not look at the deadline of what waits for a connection.
TEST_F(S3StoreTest, NoRequestWaitsForAnothersConnection) {
  ScriptedServer server({{.bytes = "", .hang = true}, answer(206, "hello", "Content-Range: bytes 0-4/5\r\n")});
  S3Options options = s3_options("s3://bucket/p", keys(server.url())).value();
  options.http.kept_connections = 1;
  const auto store = open_s3_store(options, keys(server.url()), environment->pool());
  const auto got = environment->run(second_get(store.get(), &server));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->bytes, "hello");
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(S3StoreTest, RenewsAnExpiredTokenOnce) {
  const std::string expired = "<Error><Code>ExpiredToken</Code><Message>too old</Message></Error>";
  ScriptedServer server({answer(400, expired), answer(400, expired)});
  const auto store = open(server);
  const auto got = environment->run(get(store.get()));
  EXPECT_EQ(got.error(), Code::kAccessDenied);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(S3StoreTest, SaysThatNobodyListens) {
  const auto environment_of_nobody = keys("http://127.0.0.1:1");
  const auto store = open_s3_store(s3_options("s3://bucket", environment_of_nobody).value(), environment_of_nobody,
                                   environment->pool());
  const auto got = environment->run(get(store.get()));
  EXPECT_EQ(got.error(), Code::kUnavailable);
  EXPECT_NE(got.error().message().find("127.0.0.1:1"), std::string::npos) << got.error().message();
}

TEST_F(S3StoreTest, RealServerRefusesWrongKeysAndBuckets) {
  S3Server server;
  s3::Environment wrong = server.environment();
  wrong.variables["AWS_SECRET_ACCESS_KEY"] = "wrong";
  const auto stranger = open_s3_store(server.options("p"), wrong, environment->pool());
  EXPECT_EQ(environment->run(put(stranger.get(), "x")).error(), Code::kAccessDenied);
  S3Options elsewhere = server.options("p");
  elsewhere.bucket = "no-such-bucket";
  const auto lost = open_s3_store(elsewhere, server.environment(), environment->pool());
  EXPECT_EQ(environment->run(put(lost.get(), "x")).error(), Code::kNoDevice);
  EXPECT_EQ(environment->run(get(lost.get())).error(), Code::kNoDevice);
}

TEST_F(S3StoreTest, TrustsTheAuthorityItIsGiven) {
  S3Server server(testing::Transport::kTls);
  const auto store = open_s3_store(server.options("p"), server.environment(), environment->pool());
  const auto put_done = environment->run(put(store.get(), std::string(1 << 20, 'x')));
  ASSERT_TRUE(put_done) << put_done.error().to_string();
  const auto got = environment->run(get(store.get()));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->object_bytes, 1u << 20);
}

// In an even flow, not in a burst and a rest.
TEST_F(S3StoreTest, SendsAtItsRate) {
  S3Server server;
  S3Options options = server.options("p");
  options.http.put_bytes_per_s = 1 << 20;
  const auto store = open_s3_store(options, server.environment(), environment->pool());
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(environment->run(put(store.get(), std::string(1 << 20, 'x'))));
  EXPECT_GT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 0.6);
}

TEST_F(S3StoreTest, RefusesAnAuthorityThatItDoesNotKnow) {
  S3Server server(testing::Transport::kTls);
  const auto refusal_with = [&](const std::string& ca_file) {
    S3Options options = server.options("p");
    options.http.ca_file = ca_file;
    const auto store = open_s3_store(options, server.environment(), environment->pool());
    return environment->run(get(store.get())).error();
  };
  const Status unknown = refusal_with("");
  EXPECT_EQ(unknown, Code::kAccessDenied);
  EXPECT_NE(unknown.message().find("s3.ca_file"), std::string::npos) << unknown.message();
  const Status missing = refusal_with("/nonexistent/ca.pem");
  EXPECT_EQ(missing, Code::kAccessDenied);
  EXPECT_NE(missing.message().find("/nonexistent/ca.pem"), std::string::npos) << missing.message();
}

TEST_F(S3StoreTest, SurvivesARestartOfTheServer) {
  S3Server server;
  const auto store = open_s3_store(server.options("p"), server.environment(), environment->pool());
  ASSERT_TRUE(environment->run(put(store.get(), std::string(1 << 20, 'x'))));
  server.stop();
  EXPECT_EQ(environment->run(get(store.get())).error(), Code::kUnavailable);
  server.start();
  const auto got = environment->run(get(store.get()));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(got->bytes, std::string(100, 'x'));
  EXPECT_EQ(got->object_bytes, 1u << 20);
}

}  // namespace
}  // namespace firn::object
