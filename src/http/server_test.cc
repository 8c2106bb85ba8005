// The server against well and badly behaved clients, on simulated time.
#include "http/server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/testing/script_socket.h"
#include "io/block_on.h"
#include "io/sim/sim_reactor.h"

namespace firn::http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// POST /echo answers with its body, GET /hello with a greeting, /silent reads nothing, /fail fails, /chunks in parts.
io::Task<Result<void>> answer(Exchange& exchange) {
  const std::string& path = exchange.request().path;
  if (path == "/fail") co_return fail(Code::kNoSpace, "the disk is full");
  if (path == "/chunks") {
    CO_TRY(co_await exchange.begin(200, {}, std::nullopt));
    for (const char* part : {"one", "two"}) CO_TRY(co_await exchange.write(std::as_bytes(std::span(part, 3))));
    co_return co_await exchange.end();
  }
  Response response{.content_type = "text/plain", .body = "hello"};
  if (path == "/echo") {
    response.body.clear();
    std::vector<std::byte> buffer(7);
    while (const size_t bytes = CO_TRY(co_await exchange.read_body(buffer)))
      response.body.append(reinterpret_cast<const char*>(buffer.data()), bytes);
  }
  co_return co_await exchange.respond(std::move(response));
}

struct Outcome {
  std::string reply;
  int64_t elapsed_ns = 0;
};

Outcome talk(std::deque<Line> script, Ending ending = Ending::kCloses) {
  auto reactor = std::make_unique<io::SimReactor>();
  Server server({.handler = answer, .limits = {}});
  Outcome outcome;
  const int64_t start_ns = reactor->clock().monotonic_ns();
  auto socket = std::make_unique<ScriptSocket>(std::move(script), ending, &outcome.reply);
  io::run_to_end(*reactor, server.serve(std::move(socket), {}));
  outcome.elapsed_ns = reactor->clock().monotonic_ns() - start_ns;
  return outcome;
}

Outcome talk(const std::string& text) { return talk(std::deque<Line>{{text}}); }

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Server, AnswersAndKeepsTheConnection) {
  const std::string get = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string reply = talk(get + get + get).reply;
  EXPECT_EQ(count(reply, "HTTP/1.1 200 OK\r\n"), 3u);
  EXPECT_EQ(count(reply, "\r\n\r\nhello"), 3u);
  EXPECT_EQ(count(talk("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n" + get).reply, "HTTP/1.1 200"), 1u);
  EXPECT_EQ(count(talk("GET /hello HTTP/1.0\r\n\r\n" + get).reply, "HTTP/1.1 200"), 1u);
}

TEST(Server, HeadHasNoBody) {
  const std::string reply = talk("HEAD /hello HTTP/1.1\r\n\r\n").reply;
  EXPECT_NE(reply.find("Content-Length: 5"), std::string::npos);
  EXPECT_TRUE(reply.ends_with("\r\n\r\n")) << reply;
}

TEST(Server, TakesBodiesHoweverTheyAreCut) {
  const std::string counted = "POST /echo HTTP/1.1\r\nContent-Length: 11\r\n\r\nhello world";
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n";
  for (const std::string& request : {counted, chunked}) {
    for (size_t cut = 1; cut < request.size(); ++cut) {
      const std::string reply = talk({{request.substr(0, cut)}, {request.substr(cut) + request}}).reply;
      EXPECT_EQ(count(reply, "\r\n\r\nhello world"), 2u) << "cut at " << cut << ": " << reply;
    }
    std::deque<Line> bytes;
    for (const char c : request) bytes.push_back({std::string(1, c)});
    EXPECT_EQ(count(talk(bytes).reply, "\r\n\r\nhello world"), 1u);
  }
}

TEST(Server, SendsChunks) {
  EXPECT_TRUE(talk("GET /chunks HTTP/1.1\r\n\r\n").reply.ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
}

TEST(Server, FailuresBecomeProblems) {
  const std::string reply = talk("GET /fail HTTP/1.1\r\n\r\n").reply;
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 507 "));
  EXPECT_NE(reply.find("the disk is full"), std::string::npos);
}

TEST(Server, GarbageIsRefusedAndEndsTheConnection) {
  const std::string after = "GET /hello HTTP/1.1\r\n\r\n";
  for (const char* garbage :
       {"\r\n\r\n\x01\x02\x03\r\n\r\n", "GET\r\n\r\n", "GET /x\r\n\r\n", "GET /x HTTP/9.9\r\n\r\n",
        "GET /x HTTP/1.1\r\nbad header\r\n\r\n", "GET /x HTTP/1.1\r\n: v\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n",
        "GET * HTTP/1.1\r\n\r\n", "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"}) {
    const std::string reply = talk(std::string(garbage) + after).reply;
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 400 ")) << garbage << " -> " << reply;
    EXPECT_EQ(count(reply, "HTTP/1.1 "), 1u) << garbage;
  }
  EXPECT_EQ(count(talk("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").reply, " 200 "), 0u);
}

TEST(Server, WhatProxiesReadDifferentlyIsRefused) {
  const std::string after = "GET /hello HTTP/1.1\r\n\r\n";
  for (const char* text :
       {"POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "POST /echo HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na", "POST /echo HTTP/1.1\r\nContent-Length : 1\r\n\r\na",
        "POST /echo HTTP/1.1\r\nContent-Length: +1\r\n\r\na", "POST /echo HTTP/1.1\r\nContent-Length:\r\n 1\r\n\r\na",
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "GET /hello HTTP/1.1\nHost: x\n\n",
        "GET /hello HTTP/1.1\r\nX: a\nY: b\r\n\r\n", "GET /hello HTTP/1.1\r\nX: a\rb\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}) {
    const std::string reply = talk(std::string(text) + after).reply;
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 400 ")) << text << " -> " << reply;
    EXPECT_EQ(count(reply, "HTTP/1.1 "), 1u) << text;
  }
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, identity", "xchunked"}) {
    const std::string head = fmt::format("POST /echo HTTP/1.1\r\nTransfer-Encoding: {}\r\n\r\n0\r\n\r\n", coding);
    const std::string reply = talk(head + after).reply;
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 501 ") || reply.starts_with("HTTP/1.1 400 ")) << coding << ": " << reply;
    EXPECT_EQ(count(reply, "HTTP/1.1 "), 1u) << coding;
  }
}

TEST(Server, ServesTheFormThatProxiesAreAsked) {
  EXPECT_EQ(count(talk("GET http://host:80/hello HTTP/1.1\r\n\r\nGET HTTP://host HTTP/1.1\r\n\r\n").reply, " 200 "),
            2u);
}

TEST(Server, Http10GetsNoChunks) {
  const std::string reply = talk("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").reply;
  EXPECT_EQ(count(reply, "chunked"), 0u);
  EXPECT_EQ(count(reply, "Connection: close"), 1u);
  EXPECT_TRUE(reply.ends_with("\r\n\r\nonetwo")) << reply;
}

TEST(Server, UnknownExpectationsAreRefused) {
  const std::string reply = talk("POST /echo HTTP/1.1\r\nExpect: more\r\nContent-Length: 2\r\n\r\nok").reply;
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 417 ")) << reply;
}

TEST(Server, ABodyThatTricklesEnds) {
  std::deque<Line> trickle = {{"POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"}};
  for (int i = 0; i < 1000; ++i) trickle.push_back({"x", 20 * kSecond});
  const Outcome outcome = talk(trickle, Ending::kStaysSilent);
  EXPECT_EQ(count(outcome.reply, " 200 "), 0u);
  EXPECT_LT(outcome.elapsed_ns, 2 * Limits().stall_timeout_ns);
}

TEST(Server, OversizeHeadsAreRefused) {
  const std::string reply = talk("GET / HTTP/1.1\r\nX: " + std::string(kMaxHeadBytes, 'a') + "\r\n\r\n").reply;
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 431 ")) << reply;
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 5000; ++i) many += fmt::format("H{}: v\r\n", i);
  EXPECT_TRUE(talk(many + "\r\n").reply.starts_with("HTTP/1.1 431 "));
}

TEST(Server, ATricklingHeadGetsNoMoreTimeThanASilentOne) {
  std::deque<Line> trickle;
  for (const char c : std::string("GET /hello HTTP/1.1\r\nA: b\r\n\r\n"))
    trickle.push_back({std::string(1, c), kSecond});
  const Outcome outcome = talk(trickle, Ending::kStaysSilent);
  EXPECT_TRUE(outcome.reply.starts_with("HTTP/1.1 408 ")) << outcome.reply;
  EXPECT_NEAR(static_cast<double>(outcome.elapsed_ns), 11e9, 1.2e9) << "the first byte and Limits::head_timeout_ns";
}

TEST(Server, SilenceEndsTheConnectionWithoutAWord) {
  const Outcome outcome = talk({}, Ending::kStaysSilent);
  EXPECT_EQ(outcome.reply, "");
  EXPECT_EQ(outcome.elapsed_ns, Limits().idle_timeout_ns);
}

TEST(Server, AStallingBodyEnds) {
  const Outcome outcome = talk({{"POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"}}, Ending::kStaysSilent);
  EXPECT_TRUE(outcome.reply.starts_with("HTTP/1.1 504 ")) << outcome.reply;
  EXPECT_NE(outcome.reply.find("Connection: close"), std::string::npos);
  EXPECT_GE(outcome.elapsed_ns, Limits().stall_timeout_ns);
  EXPECT_LE(outcome.elapsed_ns, Limits().stall_timeout_ns + kSecond);
}

TEST(Server, UnreadBodiesAreDrainedWithinReason) {
  const std::string after = "GET /hello HTTP/1.1\r\n\r\n";
  EXPECT_EQ(count(talk("POST /silent HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789" + after).reply, " 200 "), 2u);
  const std::string huge = std::string(1 << 20, 'x');
  EXPECT_EQ(
      count(
          talk(fmt::format("POST /silent HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}{}", huge.size(), huge, after)).reply,
          " 200 "),
      1u);
}

TEST(Server, SaysContinueWhenTheBodyIsWanted) {
  const std::string head = "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  const std::string reply = talk({{head}, {"ok"}}).reply;
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")) << reply;
  EXPECT_TRUE(reply.ends_with("ok"));
}

}  // namespace
}  // namespace firn::http
