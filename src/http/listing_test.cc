// Listings in pages, of a folder and of all below it.
#include <algorithm>

#include "http/testing/api_fixture.h"

namespace firn::http {
namespace {

class Listing : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    for (const char* folder : {"/a", "/a/b", "/a/b/c", "/z", "/empty"})
      ASSERT_EQ(call("POST", std::string("/v1/mkdir?path=") + folder).status, 201);
    for (const char* file : {"/a.txt", "/a/1", "/a/b/c/x", "/a/b/c/y", "/a/b2", "/z/1", "/m"})
      ASSERT_EQ(call("PUT", std::string("/v1/files") + file, "x").status, 201);
  }
  // All pages; `between` runs after each.
  std::vector<std::string> walk(size_t limit, const std::function<void()>& between = [] {}) {
    std::vector<std::string> seen;
    std::string after;
    do {
      const auto page = call("GET", fmt::format("/v1/ls/?recursive=1&limit={}&after={}", limit, after)).json();
      EXPECT_LE(page.at("entries").size(), limit);
      for (const auto& entry : page.at("entries")) seen.push_back(entry.at("name"));
      after = page.at("next").is_null() ? "" : page.at("next").get<std::string>();
      between();
    } while (!after.empty() && seen.size() < 1000);
    return seen;
  }

  const std::vector<std::string> all_{"a",    "a/1",   "a/b",   "a/b/c", "a/b/c/x", "a/b/c/y",
                                      "a/b2", "a.txt", "empty", "m",     "z",       "z/1"};
};

TEST_F(Listing, GoesIntoFoldersWhateverThePagesAre) {
  for (const size_t limit : {1u, 2u, 3u, 5u, 12u, 13u, 1000u}) EXPECT_EQ(walk(limit), all_) << limit;
  EXPECT_EQ(names("/"), (std::vector<std::string>{"a", "a.txt", "empty", "m", "z"}));
  EXPECT_EQ(call("GET", "/v1/ls/a/b?recursive=true").json().at("entries").at(1).at("name"), "c/x");
}

TEST_F(Listing, GoesOnWhereWhatItStoodAtIsGone) {
  int page = 0;
  const auto seen = walk(5, [&] {
    if (++page != 1) return;
    for (const char* path : {"a/b/c/x", "a/b/c/y", "a/b/c", "a/b"})
      EXPECT_EQ(call("DELETE", std::string("/v1/files/") + path).status, 204);
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "a/1", "a/b", "a/b/c", "a/b/c/x", "a/b2", "a.txt", "empty", "m", "z",
                                            "z/1"}));
}

TEST_F(Listing, OfManyEntriesIsWhole) {
  for (int i = 0; i < 150; ++i) ASSERT_EQ(call("PUT", fmt::format("/v1/files/a/b/f{:03}", i), "x").status, 201);
  for (const size_t limit : {7u, 64u, 1000u}) {
    auto seen = walk(limit);
    EXPECT_EQ(seen.size(), all_.size() + 150) << limit;
    std::ranges::sort(seen);
    EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
  }
}

TEST_F(Listing, OfTiersHasPagesToo) {
  for (const size_t limit : {1u, 2u, 5u, 1000u}) {
    std::vector<std::string> seen;
    std::string after;
    do {
      const auto page = call("GET", fmt::format("/v1/tiers?path=/&limit={}&after={}", limit, after)).json();
      EXPECT_LE(page.at("entries").size(), limit);
      for (const auto& entry : page.at("entries")) seen.push_back(entry.at("name"));
      after = page.at("next").is_null() ? "" : page.at("next").get<std::string>();
    } while (!after.empty() && seen.size() < 100);
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "a.txt", "empty", "m", "z"})) << limit;
  }
  EXPECT_TRUE(call("GET", "/v1/tiers?path=/m").json().at("next").is_null());
  for (const char* wrong : {"limit=0", "limit=10001", "after=Li4"})
    EXPECT_EQ(call("GET", std::string("/v1/tiers?path=/&") + wrong).status, 400) << wrong;
}

TEST_F(Listing, PassesOverWhatMayNotBeRead) {
  ASSERT_EQ(call("PATCH", "/v1/meta/a/b", R"({"mode":"0700"})").status, 200);
  const Peer stranger{.uid = 1000, .gid = 1000, .groups = {}};
  const auto entries = call("GET", "/v1/ls/a?recursive=1", "", stranger).json().at("entries");
  ASSERT_EQ(entries.size(), 3u) << entries;
  EXPECT_TRUE(entries.at(1).at("unreadable"));
  EXPECT_EQ(call("GET", "/v1/ls/a/b", "", stranger).status, 403);
}

}  // namespace
}  // namespace firn::http
