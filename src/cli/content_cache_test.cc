#include "cli/content_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace firn::cli {
namespace {

namespace fs = std::filesystem;

class ContentCacheTest : public testing::Test {
 protected:
  ContentCacheTest() {
    std::string name = "/tmp/firn-contents-XXXXXX";
    root_ = ::mkdtemp(name.data());
  }
  ~ContentCacheTest() override { fs::remove_all(root_); }

  static std::string content(char c, size_t bytes = 10'000) { return std::string(bytes, c); }

  void put(ContentCache& cache, const std::string& path, const std::string& text, const std::string& tag = "\"1\"") {
    if (auto part = cache.begin(text.size())) {
      part->append(std::as_bytes(std::span(text)));
      cache.keep(*std::move(part), {kUrl, path}, tag, text.size());
    }
  }

  static std::string get(ContentCache& cache, const std::string& path, const std::string& url = kUrl) {
    const auto known = cache.find({url, path});
    if (!known) return "";
    std::string text(known->bytes + 1, '\0');
    text.resize(static_cast<size_t>(::read(known->fd.get(), text.data(), text.size())));
    return text;
  }

  std::vector<fs::path> contents() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder() / "content")) files.push_back(entry.path());
    return files;
  }

  fs::path folder() const { return root_ / "cache" / "contents"; }
  ContentCache cache(uint64_t limit = 1 << 20) { return ContentCache({.folder = folder(), .limit_bytes = limit}); }

  static constexpr const char* kUrl = "https://nas:7734";
  fs::path root_;
};

TEST_F(ContentCacheTest, KeepsContentsByTheirHash) {
  ContentCache cache = this->cache();
  EXPECT_EQ(get(cache, "/a"), "");
  put(cache, "/a", content('x'), "\"7\"");
  put(cache, "/b", content('x'));
  put(cache, "/c", content('y'));
  EXPECT_EQ(cache.find({kUrl, "/a"})->tag, "\"7\"");
  EXPECT_EQ(get(cache, "/a"), content('x'));
  EXPECT_EQ(get(cache, "/b"), content('x'));
  EXPECT_EQ(get(cache, "/a", "https://other:7734"), "");
  EXPECT_EQ(contents().size(), 2) << "equal contents are one";
  EXPECT_EQ(fs::status(folder()).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(fs::is_empty(folder() / "parts"));
}

TEST_F(ContentCacheTest, WhatWasChangedOnTheDiskIsNotHandedOut) {
  ContentCache cache = this->cache();
  for (const char* how : {"changed", "cut", "longer"}) {
    put(cache, "/a", content('x'));
    ASSERT_EQ(get(cache, "/a"), content('x'));
    const fs::path file = contents().at(0);
    if (std::string_view(how) == "cut") fs::resize_file(file, 9'999);
    if (std::string_view(how) == "longer") std::ofstream(file, std::ios::app) << 'x';
    if (std::string_view(how) == "changed") std::fstream(file, std::ios::in | std::ios::out).seekp(5'000) << 'X';
    EXPECT_EQ(get(cache, "/a"), "") << how;
    EXPECT_TRUE(contents().empty()) << how;
  }
  put(cache, "/a", content('x'));
  for (const auto& entry : fs::directory_iterator(folder() / "names"))
    std::ofstream(entry.path()) << R"({"tag":"\"1\"","sha256":"../../../etc/passwd","bytes":3})";
  EXPECT_EQ(get(cache, "/a"), "");
  for (const char* garbage : {"", "[]", "{}", R"({"tag":1,"sha256":2,"bytes":"3"})", "\xff"}) {
    for (const auto& entry : fs::directory_iterator(folder() / "names")) std::ofstream(entry.path()) << garbage;
    EXPECT_EQ(get(cache, "/a"), "") << garbage;
  }
}

TEST_F(ContentCacheTest, PartsThatDoNotFitTheirSizeOrTagAreNotKept) {
  ContentCache cache = this->cache();
  const std::string text = content('x');
  for (const auto& [tag, bytes] :
       {std::pair("\"1\"", text.size() + 1), std::pair("W/\"1\"", text.size()), std::pair("", text.size())}) {
    auto part = cache.begin(text.size());
    ASSERT_TRUE(part);
    part->append(std::as_bytes(std::span(text)));
    cache.keep(*std::move(part), {kUrl, "/a"}, tag, bytes);
    EXPECT_EQ(get(cache, "/a"), "") << tag;
  }
  {
    const auto dropped = cache.begin(text.size());
  }
  EXPECT_TRUE(fs::is_empty(folder() / "parts"));
  EXPECT_FALSE(cache.begin(100)) << "a round trip is as long as the content";
  EXPECT_FALSE(cache.begin(300'000)) << "more than a quarter";
}

TEST_F(ContentCacheTest, WhatWasUsedLastStaysWithinTheLimit) {
  {
    ContentCache cache = this->cache(100'000);
    for (char c = 'a'; c <= 'm'; ++c) {
      const std::string path(1, c);
      put(cache, path, content(c));
      // The order of use, in seconds that need not pass.
      for (const auto& file : contents())
        fs::last_write_time(file, fs::last_write_time(file) - std::chrono::seconds(10));
      get(cache, "a");
    }
    EXPECT_EQ(get(cache, "a"), content('a'));
    EXPECT_EQ(get(cache, "m"), content('m'));
    EXPECT_EQ(get(cache, "b"), "");
  }
  ContentCache cache = this->cache(100'000);
  EXPECT_LE(cache.usage().bytes, 100'000);
  EXPECT_GT(cache.usage().bytes, 50'000);
  EXPECT_TRUE(cache.clear().ok());
  EXPECT_EQ(cache.usage().files, 0);
  EXPECT_EQ(get(cache, "m"), "");
}

TEST_F(ContentCacheTest, SeveralAtOnceSeeWholeContentsOnly) {
  constexpr int kRounds = 60;
  std::vector<std::thread> threads;
  std::atomic<int> hits = 0;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([&, number] {
      ContentCache mine = cache(120'000);
      for (int round = 0; round < kRounds; ++round) {
        const char c = static_cast<char>('a' + (round * 7 + number) % 8);
        const std::string path(1, c), text = get(mine, path);
        if (text.empty()) put(mine, path, content(c));
        if (!text.empty()) EXPECT_EQ(text, content(c));
        hits += text.empty() ? 0 : 1;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(hits, 0);
  EXPECT_LE(cache(120'000).usage().bytes, 120'000);
}

}  // namespace
}  // namespace firn::cli
