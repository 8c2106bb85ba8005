// The stores of a volume's tiers, and the claims that mark them: folders, and a real S3 server.
#include "cli/stores.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/hex.h"
#include "cli/claims.h"
#include "io/test_environment.h"
#include "object/dir/dir_store.h"
#include "object/testing/s3_server.h"
#include "tier/volume_record.h"

namespace firn::cli {
namespace {

namespace fs = std::filesystem;
using object::testing::S3Server;

constexpr int64_t kSecondNs = 1'000'000'000;
const std::string kId = "0123456789abcdef";

S3Server& server() {
  static S3Server one;
  return one;
}

class StoresTest : public testing::Test {
 protected:
  StoresTest() {
    // What firn init reads is the process's environment.
    for (const auto& [name, value] : server().environment().variables) ::setenv(name.c_str(), value.c_str(), 1);
    ::setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    ::setenv("AWS_CONFIG_FILE", "/dev/null", 1);
  }

  std::string folder() const { return environment->path("nas"); }
  std::string bucket() const {
    static int count = 0;
    return fmt::format("s3://{}/stores{}", S3Server::kBucket, count++);
  }
  meta::VolumeSettings record_of(std::vector<meta::TierPlace> tiers, std::string id = kId) const {
    return {.format_version = meta::kFormatVersion,
            .id = std::move(id),
            .chunk_bytes = 4 << 20,
            .created = {1'700'000'000, 0},
            .name = "photos",
            .tiers = std::move(tiers)};
  }
  std::unique_ptr<Claims> claims(const meta::VolumeSettings& record) const {
    return Claims::create(places_of({}, record).value(), {}, record).value();
  }
  Result<std::unique_ptr<Stores>> open(const meta::VolumeSettings& record, const TierSettings& settings = {}) const {
    return Stores::open(settings, {}, record, {.pool = environment->pool(), .registry = *registry});
  }
  template <class T>
  T run(io::Task<T> task) {
    return environment->run(std::move(task));
  }
  io::Task<Result<void>> put(object::ObjectStore* store, std::string key, int64_t within_ns = 20 * kSecondNs) {
    co_return co_await store->put(std::move(key), object::Content("bytes"), {}, io::within(within_ns));
  }
  void close(Stores& stores) { run(stores.close()); }

  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
  std::unique_ptr<metrics::Registry> registry = std::make_unique<metrics::Registry>();
};

TEST_F(StoresTest, PathStyleIsAsTheSettingSaysWithAndWithoutAnEndpoint) {
  const auto path_style = [](const std::string& option, const std::string& setting) {
    const Place place = parse_place("s3=s3://bucket/x?region=eu-1" + option).value();
    return bucket_of(place, {.path_style = setting}, environment_of(place, {}, {})).value().path_style;
  };
  const std::string endpoint = "&endpoint=https://nas:9000";
  EXPECT_FALSE(path_style("", "auto"));
  EXPECT_TRUE(path_style(endpoint, "auto"));
  for (const std::string& where : {std::string(), endpoint}) {
    EXPECT_TRUE(path_style(where, "yes"));
    EXPECT_FALSE(path_style(where, "no"));
    EXPECT_TRUE(path_style(where + "&path_style=yes", "no"));
  }
}

TEST_F(StoresTest, AClaimedPlaceCanBeUsed) {
  const auto record = record_of({{"nas", folder()}, {"s3", bucket()}});
  const auto claimed = claims(record)->take();
  ASSERT_TRUE(claimed) << claimed.error().message();
  const auto stores = open(record).value();
  const tier::Tiers tiers = stores->tiers();
  ASSERT_EQ(tiers.size(), 2u);
  EXPECT_EQ(tiers[0].name, "nas");
  EXPECT_EQ(tiers[1].name, "s3");
  for (const tier::Tier& tier : tiers) {
    const auto done = run(put(&tier.store, "blob/aa/x"));
    EXPECT_TRUE(done) << done.error().message();
    const auto bytes = run(object::get_all(tier.store, tier::kVolumeObject, 1 << 16, {}));
    ASSERT_TRUE(bytes);
    EXPECT_EQ(tier::decode_volume_object(*bytes), record);
  }
  const std::vector<TierInfo> infos = stores->info();
  EXPECT_EQ(infos[0].store, folder());
  EXPECT_EQ(infos[1].url, record.tiers[1].url);
  EXPECT_EQ(infos[0].requests.requests[0], 1u);
  EXPECT_GT(infos[0].health.answered_at.seconds, 0);
  EXPECT_FALSE(infos[0].health.failing);
  close(*stores);
}

TEST_F(StoresTest, AnotherVolumesPlaceIsRefusedAndItsOwnerNamed) {
  const auto first = record_of({{"nas", folder()}, {"s3", bucket()}});
  ASSERT_TRUE(claims(first)->take());
  for (const meta::TierPlace& tier : first.tiers) {
    const auto second = record_of({tier}, "another volumes ");
    const auto other = claims(second);
    const auto refused = other->take();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Code::kExists);
    for (const std::string& word : {std::string("photos"), to_hex(kId), std::string("2023-11-14")})
      EXPECT_NE(refused.error().message().find(word), std::string::npos) << refused.error().message();
    EXPECT_TRUE(other->release());
    // Nor does it get in when it is configured nevertheless.
    const auto stores = open(second).value();
    const auto done = run(put(&stores->tiers()[0].store, "blob/aa/x"));
    EXPECT_EQ(done.error(), Code::kNoDevice) << done.error().message();
    close(*stores);
  }
  EXPECT_TRUE(claims(first)->take()) << "the owner's own claim still holds, and may be made again";
}

TEST_F(StoresTest, ReleasingLeavesNothing) {
  const auto record = record_of({{"nas", folder()}, {"s3", bucket()}});
  const auto claim = claims(record);
  ASSERT_TRUE(claim->take());
  ASSERT_TRUE(claim->release());
  EXPECT_FALSE(fs::exists(folder()));
  EXPECT_TRUE(claims(record_of(record.tiers, "another volumes "))->take());
}

TEST_F(StoresTest, WhatIsAlreadyInAFolderStays) {
  fs::create_directory(folder());
  std::ofstream(folder() + "/mine") << "mine";
  const auto claim = claims(record_of({{"nas", folder()}}));
  const auto refused = claim->take();
  EXPECT_EQ(refused.error(), Code::kExists);
  EXPECT_NE(refused.error().message().find("not empty"), std::string::npos);
  EXPECT_TRUE(claim->release());
  EXPECT_TRUE(fs::exists(folder() + "/mine"));
  EXPECT_FALSE(fs::exists(folder() + "/firn-store"));
}

TEST_F(StoresTest, ATierThatIsAwayFailsByItselfAndComesBack) {
  const auto record = record_of({{"nas", folder()}, {"s3", bucket()}});
  ASSERT_TRUE(claims(record)->take());
  fs::rename(folder() + "/firn-store", folder() + "/away");  // as an empty mount point
  const auto stores = open(record).value();
  const auto refused = run(put(&stores->tiers()[0].store, "k"));
  EXPECT_EQ(refused.error(), Code::kNoDevice);
  EXPECT_TRUE(run(put(&stores->tiers()[1].store, "k")));
  EXPECT_TRUE(stores->info()[0].health.failing);
  EXPECT_EQ(stores->info()[0].health.last_failure, Code::kNoDevice);
  fs::rename(folder() + "/away", folder() + "/firn-store");
  EXPECT_TRUE(run(put(&stores->tiers()[0].store, "k")));
  EXPECT_FALSE(stores->info()[0].health.failing);

  server().stop();
  const auto late = run(put(&stores->tiers()[1].store, "k", kSecondNs / 2));
  EXPECT_FALSE(late);
  EXPECT_TRUE(stores->info()[1].health.failing);
  server().start();
  EXPECT_TRUE(run(put(&stores->tiers()[1].store, "k")));
  close(*stores);
}

TEST_F(StoresTest, NamesAndOrderAreTheRecords) {
  const auto record = record_of({{"nas", "/nas"}, {"s3", "s3://bucket/p"}});
  EXPECT_EQ(places_of({}, record)->at(1).text(), "s3=s3://bucket/p");
  EXPECT_EQ(places_of({.stores = {"nas=/moved", "s3=s3://other/p"}}, record)->at(0).where, "/moved");
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"s3=s3://bucket/p", "nas=/nas"},
                                                {"nas=/nas"},
                                                {"nas=/nas", "s3=s3://bucket/p", "c=/c"}})
    EXPECT_EQ(places_of({.stores = wrong}, record).error(), Code::kInvalid);
  EXPECT_NE(places_of({.stores = {"nas=/nas"}}, record_of({})).error().message().find("without colder tiers"),
            std::string::npos);
}

TEST_F(StoresTest, SettingsThatDoNotFitTheVolumeAreRefused) {
  auto record = record_of({{"nas", folder()}});
  EXPECT_EQ(open(record, {.encrypt = true}).error(), Code::kInvalid);
  record.chunk_bytes = 32 << 20;
  EXPECT_EQ(open(record, {.stores = {"nas=/nas"}}).error(), Code::kInvalid);
  const auto none = open(record_of({}));
  ASSERT_TRUE(none);
  EXPECT_TRUE((*none)->tiers().empty());
  close(**none);
}

TEST_F(StoresTest, TheMoreSpecificSayWins) {
  const object::s3::Environment process{.variables = {{"AWS_REGION", "env"},
                                                      {"AWS_ENDPOINT_URL", "https://env"},
                                                      {"AWS_ACCESS_KEY_ID", "k"},
                                                      {"AWS_SECRET_ACCESS_KEY", "s"},
                                                      {"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"}}};
  const Place plain = parse_place("s3=s3://bucket/p").value();
  const Place own = parse_place("s3=s3://bucket/p?region=own&endpoint=https://own&profile=own").value();
  const auto region = [](const auto& environment) { return environment.get("AWS_REGION"); };
  EXPECT_EQ(region(environment_of(plain, {}, process)), "env");
  EXPECT_EQ(region(environment_of(plain, {.region = "set"}, process)), "set");
  EXPECT_EQ(region(environment_of(own, {.region = "set"}, process)), "own");
  EXPECT_EQ(object::s3_options("s3://bucket/p", environment_of(own, {.endpoint = "https://set"}, process))->endpoint,
            "https://own");
  EXPECT_EQ(environment_of(plain, {}, process).get("AWS_ACCESS_KEY_ID"), "k");
  EXPECT_EQ(environment_of(own, {}, process).get("AWS_ACCESS_KEY_ID"), "")
      << "the profile that was asked for has the keys";
  EXPECT_EQ(environment_of(own, {}, process).get("AWS_WEB_IDENTITY_TOKEN_FILE"), "");
  EXPECT_EQ(environment_of(own, {}, process).with_overruled().get("AWS_ACCESS_KEY_ID"), "k")
      << "for credential_source = Environment";
}

}  // namespace
}  // namespace firn::cli
