// A far tier behind a slow line: what moves arrives, and nobody waits for it.
#include <gtest/gtest.h>

#include "io/sim/abandon.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::Place;
using testing::World;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr size_t kFar = 1;

// Each put takes so long, and moves all the while: no deadline ends it.
class SlowStore final : public object::testing::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  io::Task<Result<void>> put(std::string key, object::Content content, object::PutOptions options,
                             io::Until until) override {
    ++begun;
    if (!co_await io::sleep_for(put_ns, until.token)) co_return fail(Code::kInterrupted);
    co_return co_await ForwardingStore::put(std::move(key), std::move(content), options, {.token = until.token});
  }

  int64_t put_ns = 0;
  uint64_t begun = 0;
};

class LateTier : public ::testing::Test {
 protected:
  UploadSummary upload() { return world.run(uploader.pass(nullptr)).value(); }
  Result<uint64_t> catch_up() { return world.run(uploader.catch_up(kFar, nullptr)); }
  void write(uint64_t i) { world.write(name_of(i), content_of(i)); }
  static std::string name_of(uint64_t i) { return "f" + std::to_string(i); }
  std::string content_of(uint64_t i) const { return noise(3 * world.options.chunk_bytes, i); }
  int64_t now_ns() { return world.reactor->clock().monotonic_ns(); }
  size_t in_near() const { return world.near->mem->sizes().size(); }
  size_t in_far() const { return world.far->mem->sizes().size(); }

  World world{{.seed = 1}};
  SlowStore far{*world.far->store};
  Uploader uploader{
      {*world.meta, *world.meta, *world.data, *world.pool, *world.random, {{"near", *world.near->store}, {"far", far}}},
      {.chunk_bytes = world.options.chunk_bytes}};
};

TEST_F(LateTier, TheOthersDoNotWaitAndItGetsAllOfIt) {
  far.put_ns = 3600 * kSecondNs;
  for (uint64_t i = 0; i < 3; ++i) {
    const int64_t begun_ns = now_ns();
    write(i);
    const UploadSummary pass = upload();
    EXPECT_LT(now_ns() - begun_ns, 100 * kSecondNs);
    EXPECT_TRUE(pass.first_failure.ok()) << pass.first_failure.to_string();
    EXPECT_EQ(pass.late, i + 1);
    EXPECT_EQ(in_near(), i + 1);
    EXPECT_EQ(world.chunks(name_of(i)).size(), 3u);  // recorded: the near tier has them
    EXPECT_EQ(world.evict(name_of(i)).error(), Code::kBusy);
  }
  EXPECT_EQ(far.begun, 1u);  // that it is late is remembered
  EXPECT_EQ(in_far(), 0u);
  EXPECT_EQ(catch_up().value(), 3u);
  EXPECT_EQ(far.begun, 4u);
  EXPECT_EQ(uploader.late().tiers(), 0u);
  EXPECT_EQ(world.far->mem->sizes(), world.near->mem->sizes());
  const UploadSummary last = upload();
  EXPECT_EQ(last.files, 3u);
  EXPECT_EQ(last.chunks, 0u);
  EXPECT_EQ(world.pending(), 0u);
  world.near->faulty.set_down(true);
  for (uint64_t i = 0; i < 3; ++i) world.expect_to_come_back(name_of(i), content_of(i));
}

io::Task<void> catch_up_on(Uploader* uploader, io::CancelToken* end) {
  do (void)co_await uploader->catch_up(kFar, end);
  while (co_await io::sleep_for(kSecondNs, end));
}

// It never catches up, and yet what it has got counts.
TEST_F(LateTier, WhatItHasGotCountsWhileMoreComes) {
  far.put_ns = 150 * kSecondNs;
  io::CancelToken end;
  io::detach_on(*world.reactor, catch_up_on(&uploader, &end));
  for (uint64_t i = 0; i < 12; ++i) {
    write(i);
    const int64_t begun_ns = now_ns();
    (void)upload();
    EXPECT_LT(now_ns() - begun_ns, 100 * kSecondNs);
    EXPECT_EQ(in_near(), i + 1);
    world.pass_time(100 * kSecondNs);
  }
  EXPECT_NE(uploader.late().tiers(), 0u);
  EXPECT_GE(in_far(), 6u);
  EXPECT_LE(world.pending(), 6u);
  EXPECT_TRUE(world.evict(name_of(0)));
  end.cancel();
  world.pass_time(kSecondNs);
}

TEST_F(LateTier, OneThatTakesAsLongAsTheOthersIsNotLate) {
  SlowStore near(*world.near->store);
  near.put_ns = 600 * kSecondNs;
  far.put_ns = 1800 * kSecondNs;
  Uploader both({*world.meta, *world.meta, *world.data, *world.pool, *world.random, {{"near", near}, {"far", far}}},
                {.chunk_bytes = world.options.chunk_bytes});
  write(0);
  EXPECT_EQ(world.run(both.pass(nullptr)).value().files, 1u);
  EXPECT_EQ(both.late().tiers(), 0u);
}

// What it missed while it was away is more than a pass waits for.
TEST_F(LateTier, WhatItMissedWhileItWasAwayKeepsNoPassWaiting) {
  world.far->faulty.set_down(true);
  for (uint64_t i = 0; i < 4; ++i) {
    write(i);
    EXPECT_FALSE(upload().first_failure.ok());
  }
  world.far->faulty.set_down(false);
  far.put_ns = 600 * kSecondNs;
  const int64_t begun_ns = now_ns();
  write(4);
  EXPECT_EQ(upload().late, 5u);
  EXPECT_LT(now_ns() - begun_ns, 100 * kSecondNs);
  EXPECT_EQ(in_near(), 5u);
  EXPECT_EQ(catch_up().value(), 5u);
  EXPECT_EQ(upload().files, 5u);
}

// Another that lacked it, too, gets it in the same pass.
TEST_F(LateTier, IsWaitedForAloneWhereAnotherHasJustGotIt) {
  Place third(*world.random, {});
  SlowStore slow(*third.store);
  Uploader all({*world.meta,
                *world.meta,
                *world.data,
                *world.pool,
                *world.random,
                {{"near", *world.near->store}, {"far", *world.far->store}, {"third", slow}}},
               {.chunk_bytes = world.options.chunk_bytes});
  world.far->faulty.set_down(true);
  third.faulty.set_down(true);
  write(0);
  EXPECT_FALSE(world.run(all.pass(nullptr)).value().first_failure.ok());
  world.far->faulty.set_down(false);
  third.faulty.set_down(false);
  slow.put_ns = 3600 * kSecondNs;
  const UploadSummary pass = world.run(all.pass(nullptr)).value();
  EXPECT_TRUE(pass.first_failure.ok()) << pass.first_failure.to_string();
  EXPECT_EQ(pass.late, 1u);
  EXPECT_EQ(in_far(), 1u);
}

TEST_F(LateTier, OneThatFailsMeanwhileIsAskedAnew) {
  far.put_ns = 600 * kSecondNs;
  write(0);
  EXPECT_EQ(upload().late, 1u);
  world.far->faulty.set_down(true);
  EXPECT_EQ(catch_up().error(), Code::kUnavailable);
  EXPECT_EQ(uploader.late().tiers(), 0u);
  EXPECT_EQ(upload().first_failure, Code::kUnavailable);
  world.far->faulty.set_down(false);
  EXPECT_EQ(upload().late, 1u);
  EXPECT_TRUE(catch_up());
  EXPECT_EQ(upload().files, 1u);
}

// Nobody else has it: there it goes, however long it takes.
TEST_F(LateTier, WhatIsForItAloneIsSentToIt) {
  far.put_ns = 600 * kSecondNs;
  write(0);
  EXPECT_EQ(upload().late, 1u);
  write(1);
  ASSERT_TRUE(world.run(world.meta->set_policy({}, world.stat(name_of(1)).inode, {.skip = 1})));
  EXPECT_EQ(upload().files, 1u);
  EXPECT_EQ(in_far(), 1u);
  EXPECT_EQ(world.pending(), 1u);
}

// A store that stops in the middle is found out as ever.
TEST_F(LateTier, AskingWhetherItIsThereHasTheSameDeadline) {
  class HangsAtHead final : public object::testing::ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    io::Task<Result<object::ObjectInfo>> head(std::string, io::Until until) override {
      const bool slept = co_await io::sleep_for(io::left_ns(until), until.token);
      co_return fail(slept ? Code::kTimedOut : Code::kInterrupted);
    }
  };
  HangsAtHead hangs(*world.far->store);
  Uploader one({*world.meta,
                *world.meta,
                *world.data,
                *world.pool,
                *world.random,
                {{"near", *world.near->store}, {"far", hangs}}},
               {.chunk_bytes = world.options.chunk_bytes});
  write(0);
  const int64_t begun_ns = now_ns();
  const UploadSummary pass = world.run(one.pass(nullptr)).value();
  EXPECT_EQ(pass.failed, 1u);
  EXPECT_EQ(pass.first_failure, Code::kTimedOut);
  EXPECT_EQ(pass.late, 0u);
  EXPECT_LT(now_ns() - begun_ns, 100 * kSecondNs);
}

}  // namespace
}  // namespace firn::tier
