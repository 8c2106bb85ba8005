// The table of routes: what it finds, and that the document that is served tells the same.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "http/api.h"
#include "http/openapi.h"
#include "http/token.h"

namespace firn::http {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

TEST(Routes, AreFoundWithWhatTheirPlaceholdersStandFor) {
  const auto argument = [](std::string_view method, std::string_view path) {
    const RouteMatch match = match_route(method, path);
    return match.route ? fmt::format("{} {}", match.route->pattern, match.argument) : match.allowed;
  };
  EXPECT_EQ(argument("GET", "/v1/files/a/b"), "/v1/files/{path} /a/b");
  EXPECT_EQ(argument("HEAD", "/v1/ls/"), "/v1/ls/{path} /");
  EXPECT_EQ(argument("DELETE", "/v1/admin/tokens/01234567"), "/v1/admin/tokens/{id} 01234567");
  EXPECT_EQ(argument("DELETE", "/v1/admin/tokens/"), "");
  EXPECT_EQ(argument("DELETE", "/v1/admin/tokens/a/b"), "");
  EXPECT_EQ(argument("PUT", "/v1/admin/tokens"), "GET, HEAD, POST");
  EXPECT_EQ(argument("GET", "/v1/files"), "");
  EXPECT_EQ(argument("GET", "/v1/filesystem/a"), "");
  EXPECT_EQ(argument("get", "/v1/status"), "GET, HEAD");
}

TEST(Routes, AreTheOnesThatTheDocumentDescribes) {
  const nlohmann::json document = nlohmann::json::parse(kOpenApi);
  EXPECT_TRUE(document.at("openapi").get<std::string>().starts_with("3.1"));
  std::set<std::string> described, routes;
  for (const auto& [path, item] : document.at("paths").items())
    for (const auto& [method, operation] : item.items())
      if (method != "parameters")
        described.insert(fmt::format("{} {} {}", method, path, operation.at("x-right").get<std::string>()));
  for (const Route& route : Api::routes())
    routes.insert(fmt::format("{} {} {}", lower(route.method), route.pattern, name_of(route.right)));
  EXPECT_EQ(described, routes);
}

}  // namespace
}  // namespace firn::http
