// Who passes to the API.
#include "http/access.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "http/path_walk.h"
#include "http/testing/script_socket.h"
#include "io/block_on.h"
#include "io/sim/sim_reactor.h"

namespace firn::http {
namespace {

Request get(const std::string& target, Headers headers = {}) {
  Request request{.method = "GET"};
  EXPECT_TRUE(parse_target(target, request).ok());
  request.headers = std::move(headers);
  return request;
}

TEST(Access, KnowsTheNamesOfThisMachine) {
  for (const char* host : {"localhost", "LocalHost:7734", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:7734"})
    EXPECT_TRUE(names_this_machine(host)) << host;
  for (const char* host : {"", "*", ":80", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80",
                           "0.0.0.0", "10.0.0.1", "[::2]", "[::1", "localhost@evil.example"})
    EXPECT_FALSE(names_this_machine(host)) << host;
}

TEST(Access, TellsForeignPages) {
  const std::pair<std::string, std::string> host = {"host", "localhost:7734"};
  EXPECT_FALSE(comes_from_foreign_page(get("/", {host})));
  EXPECT_FALSE(comes_from_foreign_page(get("/", {host, {"origin", "http://localhost:7734"}})));
  EXPECT_FALSE(comes_from_foreign_page(get("/", {host, {"sec-fetch-site", "none"}})));
  EXPECT_TRUE(comes_from_foreign_page(get("/", {host, {"origin", "http://localhost:80"}})));
  EXPECT_TRUE(comes_from_foreign_page(get("/", {host, {"origin", "null"}})));
  EXPECT_TRUE(comes_from_foreign_page(get("/", {host, {"sec-fetch-site", "same-site"}})));
  EXPECT_TRUE(comes_from_foreign_page(get("/", {{"origin", "http://"}})));
}

TEST(Access, ScopesArePathsNotPrefixes) {
  EXPECT_TRUE(in_scope("/a", "/a"));
  EXPECT_TRUE(in_scope("/a", "//a/./b/"));
  EXPECT_TRUE(in_scope("", "/any/../where"));
  for (const char* path : {"/", "/ab", "/b/a", "/a/../a", "/a/..", ""}) EXPECT_FALSE(in_scope("/a", path)) << path;
  EXPECT_TRUE(above_scope("/a/b", "/a"));
  EXPECT_FALSE(above_scope("/a/b", "/a/b"));
  EXPECT_FALSE(above_scope("/a/b", "/b"));
}

TEST(Access, AScopedTokenReachesOnlyRoutesWithAPath) {
  const Peer peer{.right = Right::kRead, .scope = "/a", .token = "1"};
  for (const char* target : {"/v1/files/a/b", "/v1/meta/a", "/v1/ls/a", "/v1/policy?path=/a", "/v1/events?path=/a",
                             "/v1/copy?from=/a/b&to=/a/c", "/v1/openapi.json"})
    EXPECT_TRUE(check_allowed(peer, get(target)).ok()) << target;
  for (const char* target : {"/v1/files/b", "/v1/files/a/../b", "/v1/filesystem/a", "/v1/status", "/metrics",
                             "/v1/admin/wal", "/v1/events", "/v1/policy?path=/a&path=/b", "/v1/copy?from=/a/b&to=/c",
                             "/v1/ls", "/v1/link?from=/b&to=/a/b", "/v1/symlink?target=/a"})
    EXPECT_FALSE(check_allowed(peer, get(target)).ok()) << target;
}

TEST(Access, WhatNamesFilesOfTheHostIsNotForTcp) {
  Request request = get("/v1/admin/migrate?from=/etc&report=/etc/passwd");
  request.method = "POST";
  for (const Peer& peer : {Peer{.right = Right::kAdmin, .token = "1"}, Peer{.uid = 0, .right = Right::kAdmin}}) {
    const Status refused = check_allowed(peer, request);
    EXPECT_EQ(refused, Code::kNotPermitted);
    EXPECT_NE(refused.message().find("Unix socket"), std::string_view::npos) << refused.message();
  }
}

class Asked : public testing::Test {
 protected:
  // What a connection of `peer` is answered, and whom the handler saw.
  std::string ask(const std::string& headers, Peer peer) {
    auto reactor = std::make_unique<io::SimReactor>();
    Access access(tokens_, [this](Exchange& exchange) { return answer(exchange); });
    Server server({.handler = [&access](Exchange& exchange) { return access.from_tcp(exchange); }, .limits = {}});
    std::string reply;
    std::deque<Line> script = {{fmt::format("GET /v1/ls/ HTTP/1.1\r\n{}\r\n", headers)}};
    auto socket = std::make_unique<ScriptSocket>(std::move(script), Ending::kCloses, &reply);
    io::run_to_end(*reactor, server.serve(std::move(socket), std::move(peer)));
    return reply;
  }
  io::Task<Result<void>> answer(Exchange& exchange) {
    seen_ = exchange.peer();
    co_return co_await exchange.respond({204, "", "", {}});
  }
  static io::Task<Status> keep(std::string) { co_return Status(); }

  const Token token_{.id = "00000001", .hash = hash_of_secret("firn_x"), .right = Right::kRead, .uid = 12, .gid = 34};
  const Token old_{.id = "00000002", .hash = hash_of_secret("firn_old"), .expires_s = 1};
  TokenSet tokens_{{token_, old_}, keep};
  const Peer stranger_{.uid = kNobody, .gid = kNobody, .right = Right::kNothing};
  std::optional<Peer> seen_;
};

TEST_F(Asked, ATokenSaysWhoAsks) {
  EXPECT_TRUE(ask("Host: nas\r\nAuthorization: bearer firn_x\r\n", stranger_).starts_with("HTTP/1.1 204 "));
  ASSERT_TRUE(seen_);
  EXPECT_EQ(seen_->uid, 12u);
  EXPECT_EQ(seen_->gid, 34u);
  EXPECT_EQ(seen_->token, "00000001");
}

TEST_F(Asked, WithoutOneTheAnswerSaysWhatIsNeeded) {
  for (const char* shown : {"", "Authorization: Bearer firn_y\r\n", "Authorization: Bearer\r\n",
                            "Authorization: Basic firn_x\r\n", "Authorization: Bearer firn_old\r\n"}) {
    const std::string reply = ask(std::string("Host: nas\r\n") + shown, stranger_);
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 401 ")) << shown;
    EXPECT_NE(reply.find("\r\nWWW-Authenticate: Bearer"), std::string::npos) << shown;
  }
  EXPECT_FALSE(seen_);
}

TEST_F(Asked, ATrustedConnectionIsNotTrustedWithAForeignNameOrAWrongToken) {
  const Peer owner{.uid = 7, .gid = 7};
  EXPECT_TRUE(ask("Host: localhost\r\n", owner).starts_with("HTTP/1.1 204 "));
  EXPECT_TRUE(ask("Host: evil.example\r\n", owner).starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(ask("Host: localhost\r\nOrigin: http://evil.example\r\n", owner).starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(ask("Host: localhost\r\nAuthorization: Bearer wrong\r\n", owner).starts_with("HTTP/1.1 401 "));
  EXPECT_TRUE(ask("Host: localhost\r\nX-Forwarded-For: 10.0.0.1\r\n", owner).starts_with("HTTP/1.1 401 "));
  EXPECT_TRUE(ask("", owner).starts_with("HTTP/1.1 400 "));
}

}  // namespace
}  // namespace firn::http
