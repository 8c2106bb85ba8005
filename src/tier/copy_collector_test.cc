// The collector beside whoever copies a blob to a tier that lacks it: no copy outlives the blob.
#include <gtest/gtest.h>

#include <limits>

#include "io/sim/abandon.h"
#include "io/test_environment.h"
#include "object/testing/forwarding_store.h"
#include "object/testing/noise.h"
#include "tier/collector.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::World;

constexpr int64_t kSecond = 1'000'000'000;

class SlowStore final : public object::testing::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  io::Task<Result<void>> put(std::string key, object::Content content, object::PutOptions options,
                             io::Until until) override {
    if (!co_await io::sleep_for(put_ns, until.token)) co_return fail(Code::kInterrupted);
    Result<void> done =
        co_await ForwardingStore::put(std::move(key), std::move(content), options, {.token = until.token});
    (void)co_await io::sleep_for(answer_ns);
    co_return done;
  }
  io::Task<Result<void>> remove(std::string key, io::Until until) override {
    (void)co_await io::sleep_for(remove_ns);
    co_return co_await ForwardingStore::remove(std::move(key), {.token = until.token});
  }

  int64_t put_ns = 0;     // until it is there
  int64_t answer_ns = 0;  // and from then on until the answer
  int64_t remove_ns = 0;
};

enum class Who : uint8_t { kPass, kCatchUp, kScrubber };

// A file that the far tier has, and the near one lacks.
struct Copying : public ::testing::TestWithParam<Who> {
  Copying() {
    if (GetParam() == Who::kPass) world.near->faulty.set_down(true);
    if (GetParam() == Who::kCatchUp) near->put_ns = 3600 * kSecond;
    world.write("f", noise(3 * world.options.chunk_bytes, 1));
    (void)world.run(uploader->pass(nullptr)).value();
    near->put_ns = 0;
    world.near->faulty.set_down(false);
    if (GetParam() == Who::kScrubber) EXPECT_TRUE(world.run(world.near->mem->remove(*world.objects().begin(), {})));
    EXPECT_EQ(world.near->mem->sizes().size(), 0u);
    EXPECT_EQ(world.far->mem->sizes().size(), 1u);
  }
  // A crash leaves behind what it has begun.
  ~Copying() override {
    if (!crashed) return;
    io::abandon(scrubber.release());
    io::abandon(uploader.release());
    io::abandon(near.release());
    io::abandon(far.release());
  }

  static io::Task<void> copy(Copying* self) {
    std::string cursor;
    if (GetParam() == Who::kPass) (void)co_await self->uploader->pass(nullptr);
    if (GetParam() == Who::kCatchUp) (void)co_await self->uploader->catch_up(0, nullptr);
    if (GetParam() == Who::kScrubber) (void)co_await self->scrubber->scrub_cold(&cursor, nullptr);
    self->copied = true;
  }
  static io::Task<void> collect(Copying* self) {
    const Tiers tiers{{"near", *self->near}, {"far", *self->far}};
    Collector collector({*self->world.meta, *self->world.meta, *self->world.pool, *self->world.random, tiers},
                        {.grace_ns = 0, .in_flight_ns = 0, .under_way = &self->uploader->under_way()});
    CO_REQUIRE(co_await collector.pass(nullptr));
    self->collected = true;
  }
  void begin(io::Task<void> task) { io::detach_on(*world.reactor, std::move(task)); }
  // By whoever runs the volume from now on.
  void collect_all() {
    for (int pass = 0; pass < 3; ++pass) {
      Collector collector({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()},
                          {.grace_ns = 0, .in_flight_ns = 0, .under_way = &world.uploader->under_way()});
      ASSERT_TRUE(world.run(collector.pass(nullptr)));
    }
  }

  World world{{.seed = 1}};
  std::unique_ptr<SlowStore> near = std::make_unique<SlowStore>(*world.near->store);
  std::unique_ptr<SlowStore> far = std::make_unique<SlowStore>(*world.far->store);
  std::unique_ptr<Uploader> uploader = std::make_unique<Uploader>(
      Uploader::Parts{
          *world.meta, *world.meta, *world.data, *world.pool, *world.random, {{"near", *near}, {"far", *far}}},
      UploadOptions{.chunk_bytes = world.options.chunk_bytes});
  std::unique_ptr<Scrubber> scrubber =
      std::make_unique<Scrubber>(Scrubber::Parts{*world.meta,
                                                 *world.meta,
                                                 *world.data,
                                                 *world.pool,
                                                 *world.random,
                                                 {{"near", *near}, {"far", *far}},
                                                 &uploader->under_way()},
                                 ScrubOptions{.chunk_bytes = world.options.chunk_bytes});
  bool copied = false, collected = false, crashed = false;
};
std::string name_of(const ::testing::TestParamInfo<Who>& info) {
  return info.param == Who::kPass ? "pass" : info.param == Who::kCatchUp ? "catch_up" : "scrubber";
}
INSTANTIATE_TEST_SUITE_P(By, Copying, ::testing::Values(Who::kPass, Who::kCatchUp, Who::kScrubber), name_of);

// The collector has been at the tier that the copy then comes to, and is still at another.
TEST_P(Copying, WhatArrivesWhileTheBlobGoesGoesAsWell) {
  near->put_ns = 10 * kSecond;
  far->remove_ns = 30 * kSecond;
  begin(copy(this));
  world.pass_time(kSecond);
  world.remove("f");
  begin(collect(this));
  world.pass_time(100 * kSecond);
  EXPECT_TRUE(copied);
  EXPECT_TRUE(collected);
  collect_all();
  EXPECT_EQ(world.objects(), std::set<std::string>());
  EXPECT_TRUE(world.blobs().empty());
}

TEST_P(Copying, ACrashBeforeItIsOnRecordLeavesNothingForGood) {
  near->put_ns = near->answer_ns = 10 * kSecond;
  begin(copy(this));
  world.pass_time(kSecond);
  world.remove("f");
  begin(collect(this));
  world.pass_time(14 * kSecond);
  EXPECT_FALSE(copied);
  EXPECT_TRUE(collected);
  EXPECT_EQ(world.near->mem->sizes().size(), 1u);
  crashed = true;
  world.restart(/*power_cut=*/false);
  collect_all();
  EXPECT_EQ(world.objects(), std::set<std::string>());
  EXPECT_TRUE(world.blobs().empty());
}

io::Task<Result<Timestamp>> take_hold(World* world, BlobsUnderWay::Hold* held, std::string blob) {
  *held = BlobsUnderWay::Hold(world->uploader->under_way(), std::move(blob));
  co_return Timestamp{.seconds = std::numeric_limits<int64_t>::max()};
}

// He saw the record just before it was retired.
TEST(CopyBesideCollector, WhoIsAtABlobThatIsRetiredKeepsItsObjects) {
  World world({.seed = 2});
  world.write("f", noise(3 * world.options.chunk_bytes, 1));
  world.upload();
  const std::string name = world.chunks("f")[0].blob;
  world.remove("f");
  BlobsUnderWay::Hold held;
  CollectOptions options{.grace_ns = 0, .in_flight_ns = 0, .under_way = &world.uploader->under_way()};
  options.before_remove = [&] { return take_hold(&world, &held, name); };
  Collector beside({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, options);
  const CollectSummary kept = world.run(beside.pass(nullptr)).value();
  EXPECT_EQ(kept.waiting, 1u);
  EXPECT_EQ(kept.removed, 0u);
  EXPECT_EQ(world.near->mem->sizes().size(), 1u);
  EXPECT_TRUE(world.run(world.meta->get_blob(name)).value().dead_since);
  held = {};
  options.before_remove = nullptr;
  Collector after({*world.meta, *world.meta, *world.pool, *world.random, world.tiers()}, options);
  EXPECT_EQ(world.run(after.pass(nullptr)).value().removed, 1u);
  EXPECT_EQ(world.objects(), std::set<std::string>());
}

}  // namespace
}  // namespace firn::tier
