#include "base/config.h"

#include <gtest/gtest.h>

#include <fstream>

namespace firn::config {
namespace {

struct Settings {
  bool json = false;
  std::string level = "info";
  std::string name;
  uint64_t inline_max = 16384;
  int64_t interval_ns = 1'000'000'000;
  int64_t threads = 0;
  std::vector<std::string> places;
};

std::string shorter_than_five(const std::vector<std::string>& list) {
  for (const std::string& text : list)
    if (text.size() >= 5) return text + " is too long; give a shorter one";
  return "";
}

Schema bind(Settings& s) {
  return {{"log.json", Flag{&s.json}, "One JSON object per line."},
          {"log.level", Text{&s.level, {"debug", "info"}}, "What is logged."},
          {"volume.name", Text{&s.name, {}}, "A name."},
          {"data.inline_max", Size{&s.inline_max, 0, 65536}, "Files up to this size are kept inline."},
          {"sync.interval", Duration{&s.interval_ns, 1'000'000, 60'000'000'000}, "How much a power cut may cost."},
          {"reactor.threads", Integer{&s.threads, 0, 1024}, "0: one per core."},
          {"tiers.stores", TextList{&s.places, 2, shorter_than_five}, "Where to."}};
}

TEST(Config, ReadsEveryType) {
  Settings s;
  const Status status = parse(R"(
    reactor.threads = 4
    [log]
    json = true
    level = "debug"
    [data]
    inline_max = "4KiB"
    [sync]
    interval = "250ms"
  )",
                              "t", bind(s));
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_TRUE(s.json);
  EXPECT_EQ(s.level, "debug");
  EXPECT_EQ(s.inline_max, 4096u);
  EXPECT_EQ(s.interval_ns, 250'000'000);
  EXPECT_EQ(s.threads, 4);
  EXPECT_EQ(s.name, "");
  EXPECT_TRUE(parse("data.inline_max = 100", "t", bind(s)).ok());
  EXPECT_EQ(s.inline_max, 100u);
}

struct Golden {
  const char* text;
  const char* message;
};

// These lines are what a user sees: name the file, the line, the key, what is wrong and what to do.
constexpr Golden kGolden[] = {
    {"[log]\n\nlevle = \"info\"", "v/firn.toml:3: log.levle: unknown key; did you mean log.level?"},
    {"[cache]\nsize = 1", "v/firn.toml:1: cache: unknown key; remove it"},
    {"colour = 1", "v/firn.toml:1: colour: unknown key; remove it"},
    {"[log]\njson = \"yes\"", "v/firn.toml:2: log.json: \"yes\" is of the wrong type; give true or false"},
    {"[log]\nlevel = \"loud\"",
     "v/firn.toml:2: log.level: \"loud\" is none of the choices; give one of \"debug\", \"info\""},
    {"[log]\nlevel = [1]",
     "v/firn.toml:2: log.level: this array is of the wrong type; give one of \"debug\", \"info\""},
    {"log = 3", "v/firn.toml:1: log: unknown key; remove it"},
    {"[reactor]\nthreads = 1025",
     "v/firn.toml:2: reactor.threads: 1025 is out of range; give an integer from 0 to 1024"},
    {"[reactor]\nthreads = 1.5",
     "v/firn.toml:2: reactor.threads: this floating-point is of the wrong type; give an integer from 0 to 1024"},
    {"[data]\ninline_max = \"1GiB\"",
     "v/firn.toml:2: data.inline_max: \"1GiB\" is out of range; give a size from \"0B\" to \"64KiB\""},
    {"[data]\ninline_max = -1",
     "v/firn.toml:2: data.inline_max: -1 is out of range; give a size from \"0B\" to \"64KiB\""},
    {"[data]\ninline_max = \"many\"",
     "v/firn.toml:2: data.inline_max: \"many\" is of the wrong type; give a size from \"0B\" to \"64KiB\""},
    {"[sync]\ninterval = \"2h\"",
     "v/firn.toml:2: sync.interval: \"2h\" is out of range; give a duration from \"1ms\" to \"1min\""},
    {"[tiers]\n\nstores = [1]",
     "v/firn.toml:3: tiers.stores: this array is of the wrong type; give a string, or a list of up to 2 strings"},
    {"[tiers]\nstores = [\"a\", \"b\", \"c\"]",
     "v/firn.toml:2: tiers.stores: this array is out of range; give a string, or a list of up to 2 strings"},
    {"[tiers]\n\nstores = [\"a\", \"longer\"]", "v/firn.toml:3: tiers.stores: longer is too long; give a shorter one"},
    {"[sync]\ninterval = 5",
     "v/firn.toml:2: sync.interval: 5 is of the wrong type; give a duration from \"1ms\" to \"1min\""},
};

TEST(Config, MistakesNameFileLineAndKey) {
  for (const Golden& golden : kGolden) {
    Settings s;
    const Status status = parse(golden.text, "v/firn.toml", bind(s));
    EXPECT_EQ(status.code(), Code::kInvalid) << golden.text;
    EXPECT_EQ(status.message(), golden.message);
  }
}

TEST(Config, SyntaxErrorsNameFileAndLine) {
  Settings s;
  const Status status = parse("[log]\njson = \n", "v/firn.toml", bind(s));
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_TRUE(status.message().starts_with("v/firn.toml:2: not valid TOML: ")) << status.message();
  EXPECT_FALSE(parse("[log]\njson = true\njson = false\n", "t", bind(s)).ok()) << "the same key twice";
  EXPECT_FALSE(parse("[\n", "t", bind(s)).ok());
  EXPECT_TRUE(parse("[log]\n[\uFEFDx]", "t", bind(s)).message().starts_with("t:2: not valid TOML: "));
  EXPECT_FALSE(parse("[log]\nl\u025Dvel = 1", "t", bind(s)).ok());
  EXPECT_TRUE(parse("[log] # \u00E9\uFFFD\njson = true\n", "t", bind(s)).ok());
}

TEST(Config, TheFileItWritesReadsBackToTheSameSettings) {
  Settings written, defaults;
  written.level = "debug";
  written.name = "a \"quoted\" \\ name\n";
  written.inline_max = 4097;
  const std::string text = render(bind(written), bind(defaults), "A volume.\nEvery setting.");
  EXPECT_TRUE(text.starts_with("# A volume.\n# Every setting.\n\n[log]\n"));
  EXPECT_NE(text.find("\n#json = false\n"), std::string::npos) << "defaults are comments, so that they can change";
  EXPECT_NE(text.find("\nlevel = \"debug\"\n"), std::string::npos);
  Settings read;
  const Status status = parse(text, "t", bind(read));
  ASSERT_TRUE(status.ok()) << status.to_string() << text;
  EXPECT_EQ(read.level, written.level);
  EXPECT_EQ(read.name, written.name);
  EXPECT_EQ(read.inline_max, written.inline_max);
}

TEST(Config, AListMayBeOneString) {
  Settings s, defaults;
  ASSERT_TRUE(parse("tiers.stores = \"a\"", "t", bind(s)).ok());
  EXPECT_EQ(s.places, std::vector<std::string>{"a"});
  ASSERT_TRUE(parse("[tiers]\nstores = [\"b\\\"\", \"c\"]", "t", bind(s)).ok());
  EXPECT_EQ(s.places, (std::vector<std::string>{"b\"", "c"}));
  const std::string text = render(bind(s), bind(defaults), "");
  EXPECT_NE(text.find("\nstores = [\"b\\\"\", \"c\"]\n"), std::string::npos) << text;
  Settings read;
  ASSERT_TRUE(parse(text, "t", bind(read)).ok());
  EXPECT_EQ(read.places, s.places);
  ASSERT_TRUE(parse("tiers.stores = []", "t", bind(read)).ok());
  EXPECT_TRUE(read.places.empty());
}

TEST(Config, AMissingFileIsNotFound) {
  Settings s;
  EXPECT_EQ(load("/nonexistent/firn.toml", bind(s)).code(), Code::kNotFound);
  const std::string path = testing::TempDir() + "firn_config_test.toml";
  std::ofstream(path) << "[log]\njson = 1\n";
  EXPECT_TRUE(load(path, bind(s)).message().starts_with(path + ":2: log.json: 1 is of the wrong type"));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace firn::config
