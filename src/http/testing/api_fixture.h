// The API over a whole volume in memory.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "http/api.h"
#include "http/server.h"
#include "http/testing/script_socket.h"
#include "vfs/test_world.h"

namespace firn::http {

struct Reply {
  int status = 0;
  std::string head, body;
  nlohmann::json json() const { return nlohmann::json::parse(body); }
  // Empty: there is none.
  std::string header(const std::string& name) const {
    const size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

inline io::Task<std::string> fake_status() { co_return R"({"health":"ok"})"; }

class ApiTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(world_.mount()); }
  void TearDown() override { EXPECT_TRUE(world_.unmount()); }

  Reply send(std::deque<Line> script, Peer peer = {}) {
    Api api({.volume = world_.volume(), .metrics = metrics_, .owner_uid = 7, .status = fake_status, .stop = [this] {
               stopped_ = true;
             }});
    Server server({.handler = [&api](Exchange& exchange) { return api.handle(exchange); }, .limits = {}});
    std::string text;
    world_.run(
        server.serve(std::make_unique<ScriptSocket>(std::move(script), Ending::kCloses, &text), std::move(peer)));
    const size_t end = text.find("\r\n\r\n");
    EXPECT_NE(end, std::string::npos) << text;
    return {std::stoi(text.substr(9, 3)), text.substr(0, end), text.substr(end + 4)};
  }
  Reply call(const std::string& method, const std::string& target, const std::string& body = "", Peer peer = {},
             const std::string& headers = "") {
    return send({{fmt::format("{} {} HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}", method, target,
                              body.size(), headers, body)}},
                std::move(peer));
  }
  std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> result;
    for (const auto& entry : call("GET", "/v1/ls" + path).json().at("entries")) result.push_back(entry.at("name"));
    return result;
  }

  vfs::TestWorld world_{11, true};
  metrics::Registry metrics_;
  bool stopped_ = false;
};

}  // namespace firn::http
