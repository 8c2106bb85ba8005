// What an fsync waits for where the volume lives in a bucket, and what does not wait for it.
#include <gtest/gtest.h>

#include <optional>

#include "object/testing/noise.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

using object::testing::noise;

constexpr uint64_t kBytes = 20 * TestWorld::kChunkBytes + 77;

io::Task<void> sync_then_tell(Volume* volume, Handle* handle, std::optional<Result<void>>* synced) {
  *synced = co_await volume->fsync(handle, false);
}

// What it takes until its first failure, as a large upload may, does not count.
TEST(TiersInBucket, PatienceOfAnFsyncIsCountedFromTheFirstFailure) {
  constexpr int64_t kSecond = 1'000'000'000;
  TestWorld world(5, false, TestWorld::Tiers::kBucket);
  ASSERT_TRUE(world.mount());
  Volume& volume = world.volume();
  Handle* handle = world.create("f", noise(kBytes, 1));
  // The log, which is to say first what is uploaded, tries for five minutes before it tells of a failure.
  world.far().faulty.set_faults({.refused = 1, .min_latency_ns = 9 * kSecond});
  std::optional<Result<void>> synced;
  const auto begin = [&]() -> io::Task<void> {
    io::detach(sync_then_tell(&volume, handle, &synced));
    co_await io::sleep_for(500 * kSecond);
  };
  world.run(begin());
  EXPECT_FALSE(synced) << "it has lost its patience";
  world.far().faulty.set_faults({});
  world.run(io::sleep_for(100 * kSecond));
  ASSERT_TRUE(synced);
  EXPECT_TRUE(*synced) << synced->error().to_string();
  EXPECT_TRUE(world.run(volume.release(handle)));
}

TEST(TiersInBucket, AnFsyncThatWaitsForTheStoreStopsNoUploads) {
  constexpr int64_t kSecond = 1'000'000'000;
  TestWorld world(4, false, TestWorld::Tiers::kBucket);
  ASSERT_TRUE(world.mount());
  Volume& volume = world.volume();
  Handle* handle = world.create("f", noise(kBytes, 1));
  world.far().faulty.set_down(true);
  std::optional<Result<void>> synced;
  const auto begin = [&]() -> io::Task<void> {
    io::detach(sync_then_tell(&volume, handle, &synced));
    co_await io::sleep_for(kSecond);
  };
  world.run(begin());
  const int64_t begun_ns = world.reactor().clock().monotonic_ns();
  EXPECT_TRUE(world.run(volume.flush_tiers(nullptr, nullptr)));
  EXPECT_LT(world.reactor().clock().monotonic_ns() - begun_ns, 10 * kSecond);
  EXPECT_FALSE(synced);
  world.far().faulty.set_down(false);
  world.run(io::sleep_for(100 * kSecond));
  ASSERT_TRUE(synced);
  EXPECT_TRUE(*synced) << synced->error().to_string();
  EXPECT_TRUE(world.run(volume.release(handle)));
}

}  // namespace
}  // namespace firn::vfs
