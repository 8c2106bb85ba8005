#include "cli/settings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace firn::cli {
namespace {

TEST(Settings, TheFileThatInitWritesReadsBack) {
  Settings written;
  written.chunk_bytes = 1 << 20;
  written.tiers.stores = {"nas=/mnt/nas \"x\"", "s3=s3://bucket/prefix?endpoint=https://host:9000"};
  const std::string text = render_settings(written);
  Settings read;
  const Status status = config::parse(text, "firn.toml", schema_of(read));
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(read.chunk_bytes, written.chunk_bytes);
  EXPECT_EQ(read.tiers.stores, written.tiers.stores);
  EXPECT_NE(text.find("\n[sync]\n"), std::string::npos);
  EXPECT_NE(text.find("\n#interval = \"1s\"\n"), std::string::npos) << "every setting is shown with its default";
}

TEST(Settings, EveryDefaultIsInItsOwnRange) {
  Settings defaults, read;
  std::string text = render_settings(defaults);
  // With the defaults no longer comments.
  for (size_t at = text.find("\n#"); at != std::string::npos; at = text.find("\n#", at + 1))
    if (text[at + 2] != ' ' && text[at + 2] != '\n') text.erase(at + 1, 1);
  const Status status = config::parse(text, "firn.toml", schema_of(read));
  EXPECT_TRUE(status.ok()) << status.to_string();
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
      problem("[tiers]\ncompression = \"gzip\"").starts_with(":2: tiers.compression: \"gzip\" is out of range"));
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
