#include "cli/settings.h"

#include <gtest/gtest.h>

namespace firn::cli {
namespace {

TEST(Settings, TheFileThatInitWritesReadsBack) {
  Settings written;
  written.chunk_bytes = 1 << 20;
  const std::string text = render_settings(written);
  Settings read;
  const Status status = config::parse(text, "firn.toml", schema_of(read));
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(read.chunk_bytes, written.chunk_bytes);
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

}  // namespace
}  // namespace firn::cli
