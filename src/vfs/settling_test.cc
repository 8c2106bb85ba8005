// What settling counts, and what it takes a full disk for.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

using object::testing::noise;

constexpr uint64_t kBytes = 20 * TestWorld::kChunkBytes + 77;

class SettlingTest : public testing::Test {
 protected:
  SettlingTest() { EXPECT_TRUE(world_.mount()); }

  Volume& volume() { return world_.volume(); }
  void make(const std::string& name, const std::string& content) { world_.make(name, content); }
  tier::UploadSummary flush() { return world_.flush_tiers(); }
  void wait_s(int64_t seconds) {
    world_.run([](int64_t ns) -> io::Task<void> { co_await io::sleep_for(ns); }(seconds * 1'000'000'000));
  }
  bool is_hot(const std::string& name) {
    const Attr attr = world_.run(volume().lookup(root_, kRootInode, name)).value();
    return world_.run(volume().residency(attr.inode)).value().hot;
  }

  const meta::Credentials root_;
  TestWorld world_{1, false, TestWorld::Tiers::kTwo};
};

TEST_F(SettlingTest, WhatIsPendingIsKnownAfterARestart) {
  const auto pending = [this] {
    wait_s(5);
    return volume().tier_statistics();
  };
  world_.near().faulty.set_down(true);
  world_.far().faulty.set_down(true);
  make("f", noise(kBytes, 1));
  make("g", noise(2 * kBytes, 2));
  (void)world_.run(volume().flush_tiers(nullptr, nullptr));
  EXPECT_EQ(pending().pending_bytes, 3 * kBytes);
  ASSERT_TRUE(world_.unmount());
  ASSERT_TRUE(world_.mount());
  EXPECT_EQ(pending().pending_files, 2u);
  EXPECT_EQ(pending().pending_bytes, 3 * kBytes);
  EXPECT_TRUE(world_.run(volume().unlink(root_, kRootInode, "g")));
  (void)world_.run(volume().flush_tiers(nullptr, nullptr));
  EXPECT_EQ(pending().pending_bytes, kBytes);
  world_.near().faulty.set_down(false);
  world_.far().faulty.set_down(false);
  flush();
  EXPECT_EQ(volume().tier_statistics().pending_bytes, 0u);
}

TEST_F(SettlingTest, WhatTheDiskKeepsForTheSystemIsNotUsed) {
  for (const char* name : {"a", "b"}) make(name, noise(kBytes, 3));
  flush();
  const uint64_t used = world_.disk().used_bytes();
  world_.disk().set_capacity(10 * used);
  world_.disk().set_reserved(8 * used);
  wait_s(60);
  EXPECT_TRUE(is_hot("a") && is_hot("b"));
  world_.disk().set_reserved(10 * used - used - used / 100);
  wait_s(60);
  EXPECT_FALSE(is_hot("a") && is_hot("b"));
}

}  // namespace
}  // namespace firn::vfs
