#include "cli/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "tier/key_wrap.h"

namespace firn::cli {
namespace {

namespace fs = std::filesystem;

class SecretTest : public testing::Test {
 protected:
  SecretTest() : root_(fs::path(testing::TempDir()) / fmt::format("firn_secret_test.{}", getpid())) {
    fs::create_directories(root_);
    ::unsetenv("FIRN_PASSPHRASE");
  }
  ~SecretTest() override {
    ::unsetenv("FIRN_PASSPHRASE");
    fs::remove_all(root_);
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(root_ / name, std::ios::binary) << bytes;
    return root_ / name;
  }
  Result<std::optional<std::string>> secret(const std::string& settings) const {
    write("firn.toml", settings);
    return secret_of({.root = root_});
  }

  const fs::path root_;
};

TEST_F(SecretTest, AKeyFileCountsByteForByte) {
  const std::string path = write("key", std::string("a\0b\n", 4));
  EXPECT_EQ(read_secret({.key_file = path}), std::string("a\0b\n", 4));
  EXPECT_EQ(read_secret({.key_file = root_ / "none"}).error(), Code::kNotFound);
  EXPECT_EQ(read_secret({.key_file = write("empty", "")}).error(), Code::kInvalid);
  EXPECT_EQ(read_secret({.key_file = write("huge", std::string(70'000, 'x'))}).error(), Code::kInvalid);
  EXPECT_FALSE(read_secret({.key_file = root_})) << "a folder";
}

TEST_F(SecretTest, TheEnvironmentIsAskedAfterTheKeyFile) {
  ::setenv("FIRN_PASSPHRASE", "from the environment", 1);
  EXPECT_EQ(read_secret({}), "from the environment");
  EXPECT_EQ(read_new_secret({}), "from the environment");
  EXPECT_EQ(read_secret({.key_file = write("key", "from the file")}), "from the file");
  ::setenv("FIRN_PASSPHRASE", "", 1);
  EXPECT_EQ(read_secret({}).error(), Code::kInvalid);
}

TEST_F(SecretTest, ThePlainVolumeNeedsNone) {
  EXPECT_EQ(secret("").value(), std::nullopt);
  const std::string key = write("key", "k");
  EXPECT_EQ(secret(fmt::format("[tiers]\nkey_file = \"{}\"\n", key)).value(), "k");
  ::setenv("FIRN_PASSPHRASE", "p", 1);
  EXPECT_EQ(secret("").value(), "p") << "firn.toml may have lost its note that the volume is encrypted";
}

TEST_F(SecretTest, OpensTheKeyOfTheRecord) {
  SeededRandom random(1);
  const tier::Key key = tier::make_key(random);
  meta::VolumeSettings record;
  EXPECT_EQ(open_key(record, std::nullopt).value(), std::nullopt);
  EXPECT_EQ(open_key(record, "any").value(), std::nullopt);
  record.wrapped_key = tier::encode(tier::wrap_key(key, "right", random, {.log_n = 10}).value());
  EXPECT_EQ(open_key(record, "right").value(), key);
  EXPECT_EQ(open_key(record, "wrong").error(), Code::kAccessDenied);
  const auto none = open_key(record, std::nullopt);
  EXPECT_EQ(none.error(), Code::kAccessDenied);
  EXPECT_NE(none.error().message().find("FIRN_PASSPHRASE"), std::string::npos);
  record.wrapped_key = "\xff";
  EXPECT_EQ(open_key(record, "right").error(), Code::kCorrupt);
}

}  // namespace
}  // namespace firn::cli
