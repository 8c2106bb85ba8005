// Whether a store is asked when it should be, and what is said of one that is unfit.
#include "cli/store_check.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "io/test_environment.h"
#include "object/mem/mem_store.h"
#include "object/testing/forwarding_store.h"

namespace firn::cli {
namespace {

namespace fs = std::filesystem;
using io::Task;

class NamedStore final : public object::testing::ForwardingStore {
 public:
  NamedStore(object::ObjectStore& inner, std::string name) : ForwardingStore(inner), name_(std::move(name)) {}
  Task<Result<void>> put(std::string key, object::Content content, object::PutOptions options,
                         io::Until until) override {
    ++puts;
    if (careless) options.if_absent = false;
    return ForwardingStore::put(std::move(key), std::move(content), options, until);
  }
  std::string describe() const override { return name_; }

  int puts = 0;
  bool careless = false;

 private:
  const std::string name_;
};

class StoreCheck : public testing::Test {
 protected:
  Result<void> check(object::ObjectStore& store) {
    return environment->run(
        check_last_tier(store, {.name = "cold", .kind = Place::Kind::kBucket}, paths(), environment->pool(), nullptr));
  }
  VolumePaths paths() const { return {.root = environment->folder()}; }

  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
  object::MemStore mem;
};

TEST_F(StoreCheck, EachStoreIsAskedOnce) {
  NamedStore first(mem, "s3://here"), second(mem, "s3://here at http://there");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(check(first));
  EXPECT_EQ(first.puts, 2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(check(second));
  EXPECT_EQ(second.puts, 2);
  EXPECT_TRUE(check(first)) << "it may be another by now";
  EXPECT_EQ(first.puts, 4);
  EXPECT_TRUE(mem.sizes().empty());
}

TEST_F(StoreCheck, AnUnfitStoreIsNamedAndAskedAgain) {
  NamedStore store(mem, "s3://here");
  store.careless = true;
  for (int i = 0; i < 2; ++i) {
    const Result<void> unfit = check(store);
    ASSERT_FALSE(unfit);
    EXPECT_EQ(unfit.error(), Code::kNotSupported);
    for (const char* words : {"tier cold: ", "s3://here cannot hold a volume", "only if absent", "another server"})
      EXPECT_NE(unfit.error().message().find(words), std::string::npos) << unfit.error().message();
  }
  EXPECT_EQ(store.puts, 4);
  EXPECT_FALSE(fs::exists(paths().checked()));
  store.careless = false;
  EXPECT_TRUE(check(store)) << "it was mended";
}

}  // namespace
}  // namespace firn::cli
