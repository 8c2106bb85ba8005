// The volume record and sessions.
#include "meta/volume.h"

#include "meta/keys.h"
#include "meta/testing/fixture.h"

namespace firn::meta {
namespace {

using namespace testing;  // NOLINT

class VolumeRecord : public ::testing::Test {
 protected:
  void put(std::string_view key, std::string_view value) { kv::testing::Tx(*engine_).put(key, value).commit(); }
  void erase(std::string_view key) { kv::testing::Tx(*engine_).erase(key).commit(); }
  Result<void> make() { return run(format(*engine_, VolumeSettings{.id = "id", .inline_max_bytes = 9}, RootOwner{})); }
  Result<VolumeSettings> load() { return run(load_volume(*engine_)); }

  std::unique_ptr<kv::Engine> engine_ = kv::make_mem_engine();
};

TEST_F(VolumeRecord, SettingsAreKept) {
  EXPECT_EQ(code_of(load()), Code::kNotFound);
  ASSERT_TRUE(make());
  const auto settings = load();
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->id, "id");
  EXPECT_EQ(settings->chunk_bytes, uint64_t{4} << 20);
  EXPECT_EQ(settings->inline_max_bytes, 9u);
  EXPECT_EQ(code_of(make()), Code::kExists);
}

TEST_F(VolumeRecord, TiersAndTheWrappedKeyAreKeptAndReplaced) {
  VolumeSettings settings{.format_version = kFormatVersion,
                          .id = std::string(16, 'i'),
                          .chunk_bytes = 1 << 20,
                          .inline_max_bytes = 4096,
                          .created = {1'700'000'000, 5},
                          .name = "photos",
                          .tiers = {{"nas", "/mnt/nas/firn"}, {"s3", "s3://bucket/prefix"}},
                          .compression = "zstd",
                          .durability = "local",
                          .wrapped_key = std::string("\0key", 4)};
  ASSERT_TRUE(run(format(*engine_, settings, RootOwner{})));
  EXPECT_EQ(load(), settings);
  settings.wrapped_key = "another";
  ASSERT_TRUE(run(save_volume(*engine_, settings)));
  EXPECT_EQ(load(), settings);
}

TEST_F(VolumeRecord, ANewerFormatIsRefused) {
  ASSERT_TRUE(make());
  put(volume_key(), std::string("\x08\x03", 2));  // format_version = 3
  const auto refused = load();
  EXPECT_EQ(code_of(refused), Code::kNotSupported);
  EXPECT_NE(refused.error().message().find("newer firn"), std::string::npos);
}

TEST_F(VolumeRecord, DamageAndHalvesAreNamed) {
  put("I-something", "x");
  EXPECT_EQ(code_of(make()), Code::kNotEmpty);
  EXPECT_EQ(code_of(load()), Code::kCorrupt);
  EXPECT_NE(load().error().message().find("half-initialised"), std::string::npos);
  erase("I-something");
  ASSERT_TRUE(make());
  erase(inode_key(kRootInode));
  EXPECT_NE(load().error().message().find("root"), std::string::npos);
  put(volume_key(), "\xff\xff");
  EXPECT_EQ(code_of(load()), Code::kCorrupt);
}

TEST_F(VolumeRecord, SessionsCountBootsAndCleanEnds) {
  ASSERT_TRUE(make());
  const auto begin = [&](const char* boot) { return *run(begin_session(*engine_, boot)); };
  Session first = begin("boot-a");
  EXPECT_EQ(first.number, 1u);
  EXPECT_TRUE(first.clean);
  Session again = begin("boot-a");
  EXPECT_EQ(again.number, 1u);
  EXPECT_FALSE(again.clean);
  ASSERT_TRUE(run(end_session(*engine_)));
  Session next = begin("boot-b");
  EXPECT_EQ(next.number, 2u);
  EXPECT_TRUE(next.clean);
}

}  // namespace
}  // namespace firn::meta
