// The REST API over a whole volume in memory.
#include "http/api.h"

#include <set>

#include "http/testing/api_fixture.h"

namespace firn::http {
namespace {

TEST_F(ApiTest, PutsAndGetsFilesOfEverySize) {
  for (const size_t bytes :
       {size_t{0}, size_t{1}, vfs::TestWorld::kInlineMax, vfs::TestWorld::kInlineMax + 1, size_t{700'000}}) {
    std::string content(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 31 + (i >> 8));
    EXPECT_EQ(call("PUT", "/v1/files/f", content).status, bytes == 0 ? 201 : 204) << bytes;
    const Reply reply = call("GET", "/v1/files/f");
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.body == content) << bytes;
  }
  EXPECT_EQ(names("/"), std::vector<std::string>{"f"}) << "no temporary names are left";
}

TEST_F(ApiTest, APutThatBreaksOffChangesNothing) {
  ASSERT_EQ(call("PUT", "/v1/files/f", "old").status, 201);
  const Reply reply = send({{"PUT /v1/files/f HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf of it"}});
  EXPECT_GE(reply.status, 400);
  EXPECT_EQ(call("GET", "/v1/files/f").body, "old");
  EXPECT_EQ(names("/"), std::vector<std::string>{"f"});
}

TEST_F(ApiTest, WhatPutAcknowledgedSurvivesAPowerCut) {
  ASSERT_EQ(call("PUT", "/v1/files/small", "content").status, 201);
  ASSERT_EQ(call("PUT", "/v1/files/large", std::string(100'000, 'x')).status, 201);
  world_.cut_power();
  ASSERT_TRUE(world_.mount());
  EXPECT_EQ(call("GET", "/v1/files/small").body, "content");
  EXPECT_EQ(call("GET", "/v1/files/large").body, std::string(100'000, 'x'));
}

TEST_F(ApiTest, KeepsTheModeOfWhatItReplaces) {
  ASSERT_EQ(call("PUT", "/v1/files/f?mode=0640", "a").status, 201);
  ASSERT_EQ(call("PUT", "/v1/files/f", "b").status, 204);
  EXPECT_EQ(call("GET", "/v1/meta/f").json().at("mode"), "0640");
}

TEST_F(ApiTest, Ranges) {
  ASSERT_EQ(call("PUT", "/v1/files/f", "0123456789").status, 201);
  auto range = [&](const std::string& value) {
    return call("GET", "/v1/files/f", "", {}, "Range: bytes=" + value + "\r\n");
  };
  EXPECT_EQ(range("2-4").body, "234");
  EXPECT_EQ(range("2-4").status, 206);
  EXPECT_EQ(range("7-").body, "789");
  EXPECT_EQ(range("-3").body, "789");
  EXPECT_EQ(range("5-99").body, "56789");
  EXPECT_EQ(range("-99").body, "0123456789");
  EXPECT_EQ(range("10-").status, 416);
  EXPECT_EQ(range("-0").status, 416);
  EXPECT_EQ(range("nonsense").status, 200);
}

TEST_F(ApiTest, FoldersAndMoves) {
  EXPECT_EQ(call("POST", "/v1/mkdir?path=/a/b/c").status, 404);
  EXPECT_EQ(call("POST", "/v1/mkdir?path=/a/b/c&parents=1").status, 201);
  EXPECT_EQ(call("POST", "/v1/mkdir?path=/a/b/c&parents=1").status, 200);
  EXPECT_EQ(call("POST", "/v1/mkdir?path=/a").status, 409);
  EXPECT_EQ(call("POST", "/v1/mkdir?path=/d&mode=99999").status, 400);
  EXPECT_EQ(call("POST", "/v1/move?from=/a/b&to=/moved").status, 204);
  EXPECT_EQ(names("/"), (std::vector<std::string>{"a", "moved"}));
  EXPECT_EQ(call("POST", "/v1/move?from=/a&to=/moved/c&no_replace=1").status, 409);
  EXPECT_EQ(call("DELETE", "/v1/files/moved").status, 409) << "not empty";
  EXPECT_EQ(call("DELETE", "/v1/files/moved/c").status, 204);
  EXPECT_EQ(call("DELETE", "/v1/files/moved").status, 204);
  EXPECT_EQ(call("DELETE", "/v1/files/moved").status, 404);
  EXPECT_EQ(call("DELETE", "/v1/files/").status, 400) << "the root stays";
}

TEST_F(ApiTest, ListsInPages) {
  for (int i = 0; i < 25; ++i) ASSERT_EQ(call("PUT", fmt::format("/v1/files/f{:02}", i), "x").status, 201);
  std::vector<std::string> seen;
  std::string after;
  for (int pages = 0; pages < 10 && (pages == 0 || !after.empty()); ++pages) {
    const auto page = call("GET", "/v1/ls/?limit=10&after=" + after).json();
    EXPECT_LE(page.at("entries").size(), 10u);
    for (const auto& entry : page.at("entries")) seen.push_back(entry.at("name"));
    after = page.at("next").is_null() ? "" : page.at("next").get<std::string>();
  }
  EXPECT_EQ(seen.size(), 25u);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 25u);
  EXPECT_EQ(call("GET", "/v1/ls/?limit=0").status, 400);
  EXPECT_EQ(call("GET", "/v1/ls/?after=Li4").status, 400) << "..";
  EXPECT_EQ(call("GET", "/v1/ls").status, 404);
  EXPECT_EQ(call("GET", "/v1/ls/f00").status, 409);
}

TEST_F(ApiTest, WalksLinksAndDotsButNeverOutOfTheVolume) {
  ASSERT_EQ(call("POST", "/v1/mkdir?path=/d").status, 201);
  ASSERT_EQ(call("PUT", "/v1/files/d/f", "content").status, 201);
  const meta::NodeSpec up{.type = meta::FileType::kSymlink, .target = "../../../d/f"};
  const meta::NodeSpec absolute{.type = meta::FileType::kSymlink, .target = "/d"};
  const meta::NodeSpec loop{.type = meta::FileType::kSymlink, .target = "loop"};
  auto& volume = world_.volume();
  ASSERT_TRUE(world_.run(volume.make_node({}, kRootInode, "up", up)));
  ASSERT_TRUE(world_.run(volume.make_node({}, kRootInode, "absolute", absolute)));
  ASSERT_TRUE(world_.run(volume.make_node({}, kRootInode, "loop", loop)));
  EXPECT_EQ(call("GET", "/v1/files/up").body, "content");
  EXPECT_EQ(call("GET", "/v1/files/absolute/f").body, "content");
  EXPECT_EQ(call("GET", "/v1/files/d/../../../d/./f").body, "content");
  EXPECT_EQ(call("GET", "/v1/files/loop").status, 409);
  EXPECT_EQ(call("GET", "/v1/files/../../etc/passwd").status, 404);
  EXPECT_EQ(call("GET", "/v1/meta/up").json().at("target"), "../../../d/f");
  EXPECT_EQ(call("GET", "/v1/meta/up?follow=1").json().at("size"), 7);
  EXPECT_EQ(call("GET", "/v1/files/d/f/g").status, 409);
}

TEST_F(ApiTest, PermissionsAreThePeers) {
  const Peer stranger{.uid = 1000, .gid = 1000, .groups = {}};
  ASSERT_EQ(call("PUT", "/v1/files/secret?mode=600", "x").status, 201);
  EXPECT_EQ(call("GET", "/v1/files/secret", "", stranger).status, 403);
  EXPECT_EQ(call("PUT", "/v1/files/mine", "x", stranger).status, 403);
  EXPECT_EQ(call("DELETE", "/v1/files/secret", "", stranger).status, 403);
  EXPECT_EQ(call("POST", "/v1/admin/stop", "", stranger).status, 403);
  EXPECT_FALSE(stopped_);
  EXPECT_EQ(call("POST", "/v1/admin/stop", "", {.uid = 7, .gid = 7, .groups = {}}).status, 204);
  EXPECT_TRUE(stopped_);
}

TEST_F(ApiTest, UnknownThingsAreNamed) {
  EXPECT_EQ(call("GET", "/v2").status, 404);
  EXPECT_EQ(call("POST", "/v1/files/f").status, 405);
  EXPECT_EQ(call("POST", "/v1/files/f").header("Allow"), "GET, HEAD, PUT, PATCH, DELETE");
  EXPECT_EQ(call("GET", "/v1/mkdir").status, 405);
  EXPECT_EQ(call("POST", "/v1/admin/nothing").status, 404);
  EXPECT_EQ(call("POST", "/v1/admin/log?level=loud").status, 400);
  EXPECT_EQ(call("GET", "/v1/files/none").json().at("errno"), ENOENT);
  EXPECT_EQ(call("GET", "/v1/status").body, R"({"health":"ok"})");
  EXPECT_EQ(call("GET", "/v1/metrics").status, 200);
}

}  // namespace
}  // namespace firn::http
