#include "base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

namespace firn::log {
namespace {

class Log : public testing::Test {
 protected:
  Log() : folder_(std::filesystem::path(testing::TempDir()) / ("firn_log_test." + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Log() override {
    (void)open({.path = "", .level = Level::kWarning});
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ / "firn.log"; }
  std::vector<std::string> lines() const {
    flush();
    std::ifstream in(path());
    std::vector<std::string> result;
    for (std::string line; std::getline(in, line);) result.push_back(line);
    return result;
  }

  const std::filesystem::path folder_;
};

TEST_F(Log, TextLines) {
  ASSERT_TRUE(open({.path = path()}).ok());
  debug("hidden");
  info("mounted {} in {} ms", "demo", 3);
  warning("two\nlines");
  const auto out = lines();
  ASSERT_EQ(out.size(), 2u);
  EXPECT_TRUE(std::regex_match(
      out[0], std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z info    \[\d+\] mounted demo in 3 ms)")))
      << out[0];
  EXPECT_TRUE(out[1].ends_with("two\\nlines")) << "nobody forges a second event";
}

TEST_F(Log, JsonLinesParse) {
  ASSERT_TRUE(open({.path = path(), .level = Level::kDebug, .json = true}).ok());
  debug("path \"{}\"\t\\", "a\nb");
  const auto out = lines();
  ASSERT_EQ(out.size(), 1u);
  const auto json = nlohmann::json::parse(out[0]);
  EXPECT_EQ(json.at("message"), "path \"a\nb\"\t\\");
  EXPECT_EQ(json.at("level"), "debug");
}

TEST_F(Log, RotatesAndKeepsAFew) {
  ASSERT_TRUE(open({.path = path(), .rotate_bytes = 2000, .rotated_files = 2}).ok());
  for (int i = 0; i < 200; ++i) info("line {}", i);
  flush();
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    ++files;
    EXPECT_LE(entry.file_size(), 2000u);
  }
  EXPECT_EQ(files, 3u);
}

TEST_F(Log, SaysWhyItCannotOpen) {
  const Status status = open({.path = "/proc/nowhere/firn.log"});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/proc/nowhere/firn.log"), std::string::npos);
}

TEST_F(Log, Levels) {
  EXPECT_EQ(parse_level("warning"), Level::kWarning);
  EXPECT_FALSE(parse_level("loud"));
  EXPECT_EQ(level_name(Level::kOff), "off");
}

}  // namespace
}  // namespace firn::log
