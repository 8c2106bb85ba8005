#include "cli/settings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "cli/tier_bounds.h"

namespace firn::cli {
namespace {

TEST(Settings, TheFileThatInitWritesReadsBack) {
  Settings written;
  written.chunk_bytes = 1 << 20;
  written.tiers.stores = {"nas=/mnt/nas \"x\"", "s3=s3://bucket/prefix?endpoint=https://host:9000"};
  const std::string text = render_settings(written);
  const Result<Settings> read = parse_settings(text, "firn.toml");
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->chunk_bytes, written.chunk_bytes);
  EXPECT_EQ(read->tiers.stores, written.tiers.stores);
  EXPECT_NE(text.find("\n[sync]\n"), std::string::npos);
  EXPECT_NE(text.find("\n#interval = \"1s\"\n"), std::string::npos) << "every setting is shown with its default";
}

TEST(Settings, EveryDefaultIsInItsOwnRange) {
  Settings defaults;
  defaults.tiers.stores = {"nas=/mnt/nas", "s3=s3://bucket"};
  std::string text = render_settings(defaults);
  // With the defaults no longer comments.
  for (size_t at = text.find("\n#"); at != std::string::npos; at = text.find("\n#", at + 1))
    if (text[at + 2] != ' ' && text[at + 2] != '\n') text.erase(at + 1, 1);
  const Result<Settings> read = parse_settings(text, "firn.toml");
  EXPECT_TRUE(read) << read.error().to_string();
}

TEST(Settings, OfOneTierAreShownForTheLocalDiskAndAllTiersButTheLast) {
  Settings written;
  EXPECT_EQ(render_settings(written).find("[tier."), std::string::npos);
  written.tiers.stores = {"nas=/mnt/nas", "s3=s3://bucket"};
  written.tiers.high_watermark_percent = 90;
  const std::string text = render_settings(written);
  const size_t hot = text.find("\n[tier.hot]\n"), nas = text.find("\n[tier.nas]\n");
  ASSERT_NE(nas, std::string::npos);
  EXPECT_LT(hot, nas);
  EXPECT_EQ(text.find("[tier.s3]"), std::string::npos);
  EXPECT_NE(text.find("\n#high_watermark = 90\n", nas), std::string::npos) << "what is in force where it is not set";
  EXPECT_NE(text.find("\n#capacity = \"0B\"\n", nas), std::string::npos);
}

TEST(Settings, OfOneTierHoldForItAlone) {
  const auto settings = parse_settings(
      "[tiers]\nlimits = [\"disk=1GiB\"]\nhigh_watermark = 80\nhot_max = \"5GiB\"\n"
      "[tier.nas]\ncapacity = \"2GiB\"\nlow_watermark = 10\n[tier.hot]\nhigh_watermark = 95",
      "firn.toml");
  ASSERT_TRUE(settings) << settings.error().to_string();
  const TierBounds hot = hot_bounds_of(settings->tiers);
  EXPECT_EQ(hot.max_bytes, uint64_t{5} << 30);
  EXPECT_EQ(hot.high_percent, 95u);
  EXPECT_EQ(hot.low_percent, 70u);
  const auto bounds = bounds_of(settings->tiers, {"nas", "disk", "s3"});
  ASSERT_TRUE(bounds) << bounds.error().to_string();
  EXPECT_EQ((*bounds)[0].max_bytes, uint64_t{2} << 30);
  EXPECT_EQ((*bounds)[0].high_percent, 80u);
  EXPECT_EQ((*bounds)[0].low_percent, 10u);
  EXPECT_EQ((*bounds)[1].max_bytes, uint64_t{1} << 30);
  EXPECT_EQ((*bounds)[1].low_percent, 70u);
  EXPECT_EQ((*bounds)[2].max_bytes, 0u);
}

// What bounds_of() says of a [tier.NAME] in line 3, of the tiers nas and s3.
std::string problem_of_tier(const std::string& text) {
  const auto settings = parse_settings("[tiers]\nlimits = []\n" + text, "f");
  if (!settings) return settings.error().message();
  const auto bounds = bounds_of(settings->tiers, {"nas", "s3"});
  return bounds ? "" : bounds.error().message();
}

TEST(Settings, OfOneTierThatMakeNoSenseAreNamedWithTheirLine) {
  const auto has = [](const std::string& text, std::string_view begin, std::string_view word) {
    const std::string message = problem_of_tier(text);
    EXPECT_TRUE(message.starts_with(begin) && message.find(word) != std::string::npos) << text << ": " << message;
  };
  EXPECT_EQ(problem_of_tier("[tier.nas]\n[tier.s3]"), "");
  has("[tier.tape]\ncapacity = 1", "f:3: [tier.tape]", "no tier of that name; there are hot, nas, s3");
  has("[tier.s3]\nhigh_watermark = 90", "f:3: [tier.s3]", "the last tier keeps everything");
  has("[tier.nas]\nlow_watermark = 50", "f:3: [tier.nas]", "no capacity");
  has("[tier.nas]\ncapacity = 100\nlow_watermark = 90", "f:3: [tier.nas]", "low_watermark is 90 and high_watermark 85");
  has("[tier.nas]\nhigh_watermark = 101", "f:4: tier.nas.high_watermark", "out of range");
  has("[tier.nas]\nhigh = 50", "f:4: tier.nas.high", "unknown key");
  has("[tier]\nnas = 50", "f:3: tier", "unknown key");
  EXPECT_NE(problem_of_tier("hot_max = 5\n[tier.hot]\ncapacity = 5").find("[tier.hot]: tiers.hot_max"),
            std::string::npos);
  EXPECT_NE(
      problem_of_tier("hot_hard_max = 4\n[tier.hot]\ncapacity = 5").find("hot_hard_max is 4B and tier.hot.capacity"),
      std::string::npos);
  EXPECT_NE(problem_of_tier("hot_hard_max = 4\nhot_max = 5").find("hot_hard_max is 4B and tiers.hot_max"),
            std::string::npos);
  const auto twice = parse_settings("[tiers]\nlimits = \"nas=5\"\n[tier.nas]\ncapacity = 5", "f");
  ASSERT_TRUE(twice);
  EXPECT_NE(bounds_of(twice->tiers, {"nas", "s3"}).error().message().find("tiers.limits"), std::string::npos);
}

// What firn.toml says when it is this; "" when it is fine.
std::string problem(const std::string& text) {
  const std::string path = testing::TempDir() + fmt::format("firn_settings_test.{}.toml", getpid());
  std::ofstream(path) << text;
  const auto settings = load_settings(path);
  std::filesystem::remove(path);
  if (settings) return "";
  const std::string message = settings.error().to_string();
  EXPECT_TRUE(message.starts_with(path)) << message;
  return message.substr(std::min(message.size(), path.size()));
}

TEST(Settings, TiersThatMakeNoSenseAreNamedWithTheirLine) {
  EXPECT_EQ(problem("[tiers]\nstores = [\"nas=/mnt/nas/firn\", \"s3=s3://bucket/prefix\"]\ncompression = \"lz4\"\n"),
            "");
  EXPECT_TRUE(problem("[tiers]\n\nstores = [\"nas=/a\", \"nas=/b\"]").starts_with(":3: tiers.stores: two tiers"));
  EXPECT_TRUE(
      problem("[tiers]\nstores = \"/mnt/nas\"").starts_with(":2: tiers.stores: \"/mnt/nas\" is not of the form"));
  EXPECT_TRUE(problem("[tiers]\nstores = [\"a=nas/firn\"]").find("relative") != std::string::npos);
  EXPECT_TRUE(
      problem("[tiers]\ncompression = \"gzip\"").starts_with(":2: tiers.compression: \"gzip\" is none of the choices"));
  EXPECT_TRUE(problem("[tiers]\nflush_interval = \"0s\"").starts_with(":2: tiers.flush_interval"));
  EXPECT_TRUE(problem("[tiers]\nlow_watermark = 100").starts_with(":2: tiers.low_watermark"));
  EXPECT_TRUE(problem("[tiers]\nwatermark = 50").starts_with(":2: tiers.watermark: unknown key"));
  EXPECT_TRUE(problem("[s3]\npath_style = true").starts_with(":2: s3.path_style"));
}

TEST(Settings, TiersThatDoNotFitTogetherAreRefused) {
  EXPECT_EQ(problem("[tiers]\nlow_watermark = 90"),
            ": tiers.low_watermark is 90 and tiers.high_watermark 85; the low one must be below the high one");
  EXPECT_NE(problem("[tiers]\nkey_file = \"key\"").find("absolute"), std::string::npos);
  EXPECT_EQ(problem("[data]\nchunk_size = \"32MiB\""), "");
  EXPECT_NE(problem("[data]\nchunk_size = \"32MiB\"\n[tiers]\nstores = \"nas=/nas\"").find("the most is 16MiB"),
            std::string::npos);
}

TEST(Settings, ThatAreAboutTiersAreInTheManualWithTheirDefaults) {
  std::ifstream in(FIRN_SOURCE_DIR "/docs/operations.md");
  const std::string manual{std::istreambuf_iterator<char>(in), {}};
  Settings settings;
  config::Schema schema;
  append_schema(settings.tiers, schema);
  append_schema(settings.s3, schema);
  std::istringstream rendered(config::render(schema, schema, ""));
  std::string section;
  size_t found = 0;
  for (std::string line; std::getline(rendered, line);) {
    if (line.starts_with('[')) section = line.substr(1, line.size() - 2);
    const size_t equals = line.find(" = ");
    if (!line.starts_with('#') || line.starts_with("# ") || equals == std::string::npos) continue;
    const std::string key = "`" + section + "." + line.substr(1, equals - 1) + "`";
    const size_t at = manual.find(key + " |") != std::string::npos ? manual.find(key + " |") : manual.find(key + ", `");
    ASSERT_NE(at, std::string::npos) << key;
    const std::string row = manual.substr(at, manual.find('\n', at) - at);
    EXPECT_NE(row.find("| `" + line.substr(equals + 3) + "` |"), std::string::npos) << key << ": " << row;
    ++found;
  }
  EXPECT_EQ(found, schema.size());
}

TEST(Settings, NameTheCodec) {
  EXPECT_EQ(codec_of({}), tier::Codec::kZstd);
  EXPECT_EQ(codec_of({.compression = "lz4"}), tier::Codec::kLz4);
  EXPECT_EQ(codec_of({.compression = "none"}), tier::Codec::kStored);
}

}  // namespace
}  // namespace firn::cli
