// Policies as a volume keeps them: the attribute, what stays, and what a lost disk takes.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "vfs/policy.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

using object::testing::noise;

constexpr uint64_t kBytes = 20 * TestWorld::kChunkBytes + 77;
constexpr std::string_view kAttribute = "user.firn.policy";

class TiersPolicyTest : public testing::Test {
 protected:
  TiersPolicyTest() { EXPECT_TRUE(world_.mount()); }

  Volume& volume() { return world_.volume(); }
  Attr stat(const std::string& name) { return world_.run(volume().lookup(root_, kRootInode, name)).value(); }
  void make(const std::string& name, const std::string& content) { world_.make(name, content); }
  Result<std::string> read(const std::string& name) {
    auto opened = world_.run(volume().open(root_, stat(name).inode, {.flags = O_RDONLY}));
    EXPECT_TRUE(opened);
    std::string content(stat(name).size, '?');
    const auto got = world_.run(volume().read(opened->handle, 0, std::as_writable_bytes(std::span(content))));
    EXPECT_TRUE(world_.run(volume().release(opened->handle)));
    if (!got) return fail(got.error());
    content.resize(*got);
    return content;
  }
  Code set(InodeId inode, std::string_view text, const meta::Credentials& who = {},
           meta::XattrMode mode = meta::XattrMode::kEither) {
    const auto done = world_.run(volume().setxattr(who, inode, kAttribute, text, mode));
    return done ? Code::kOk : done.error().code();
  }
  std::string get(InodeId inode) { return world_.run(volume().getxattr(root_, inode, kAttribute)).value_or("none"); }
  bool listed(InodeId inode) {
    return std::ranges::count(world_.run(volume().listxattr(root_, inode)).value(), kAttribute) == 1;
  }
  Code evict(const std::string& name) {
    const auto freed = world_.run(volume().evict(stat(name).inode));
    return freed ? Code::kOk : freed.error().code();
  }
  tier::UploadSummary flush() { return world_.flush_tiers(); }
  Residency residency(const std::string& name) { return world_.run(volume().residency(stat(name).inode)).value(); }

  const meta::Credentials root_;
  TestWorld world_{1, false, TestWorld::Tiers::kTwo};
};

TEST_F(TiersPolicyTest, TheAttributeSaysAndSetsIt) {
  make("f", "small");
  const InodeId inode = stat("f").inode;
  EXPECT_EQ(get(inode), "none");
  EXPECT_FALSE(listed(inode));
  EXPECT_EQ(set(inode, "pin=hot skip=far"), Code::kOk);
  EXPECT_EQ(get(inode), "pin=hot skip=far");
  EXPECT_TRUE(listed(inode));
  EXPECT_EQ(set(inode, "skip=near\n"), Code::kOk);  // all of it, in one
  EXPECT_EQ(get(inode), "skip=near");
  EXPECT_EQ(set(inode, ""), Code::kOk);
  EXPECT_EQ(get(inode), "none");
  EXPECT_FALSE(listed(inode));
  EXPECT_EQ(world_.run(volume().removexattr(root_, inode, kAttribute)).error(), Code::kNoAttribute);
  EXPECT_EQ(set(inode, "skip=far,near"), Code::kOk);
  EXPECT_EQ(get(inode), "skip=near,far");
  EXPECT_TRUE(world_.run(volume().removexattr(root_, inode, kAttribute)));
  EXPECT_EQ(get(inode), "none");
}

TEST_F(TiersPolicyTest, TheAttributeRefusesWhatIsNoPolicy) {
  make("f", "small");
  const InodeId inode = stat("f").inode;
  for (const char* text : {"pin=near", "skip=moon", "skip=", "hot", "pin=hot,skip=far"})
    EXPECT_EQ(set(inode, text), Code::kInvalid) << text;
  EXPECT_EQ(set(inode, "pin=hot", {}, meta::XattrMode::kReplace), Code::kNoAttribute);
  EXPECT_EQ(set(inode, "pin=hot", {}, meta::XattrMode::kCreate), Code::kOk);
  EXPECT_EQ(set(inode, "pin=hot", {}, meta::XattrMode::kCreate), Code::kExists);
  EXPECT_EQ(set(inode, "", {.uid = 1000, .gid = 1000, .kernel_checked = true}), Code::kNotPermitted);
  EXPECT_EQ(get(inode), "pin=hot");
}

TEST_F(TiersPolicyTest, WhatIsKeptIsNotEvicted) {
  make("pinned", noise(kBytes, 1));
  make("local", noise(kBytes, 2));
  EXPECT_EQ(set(stat("pinned").inode, "pin=hot"), Code::kOk);
  EXPECT_EQ(set(stat("local").inode, "skip=near,far"), Code::kOk);
  EXPECT_EQ(flush().files, 1u);
  EXPECT_EQ(evict("pinned"), Code::kBusy);
  EXPECT_EQ(evict("local"), Code::kBusy);
  EXPECT_TRUE(residency("pinned").hot && residency("pinned").uploaded);
  EXPECT_EQ(residency("pinned").bits, 7u);
  EXPECT_TRUE(residency("local").hot && residency("local").local_only && !residency("local").uploaded);
  EXPECT_EQ(residency("local").bits, 1u);
  EXPECT_EQ(residency("local").policy, "skip=near,far");
  EXPECT_TRUE(world_.run(volume().list_pending(InodeId(), 10))->empty());
}

TEST_F(TiersPolicyTest, TheFullDiskTakesWhatIsNotKept) {
  ASSERT_TRUE(world_.unmount());
  world_.set_hot_max(2 * kBytes);
  ASSERT_TRUE(world_.mount());
  for (const char* name : {"pinned", "local", "a", "b"}) make(name, noise(kBytes, 3));
  EXPECT_EQ(set(stat("pinned").inode, "pin=hot"), Code::kOk);
  EXPECT_EQ(set(stat("local").inode, "skip=near,far"), Code::kOk);
  flush();
  world_.run([](TestWorld*) -> io::Task<void> { co_await io::sleep_for(60'000'000'000); }(&world_));
  EXPECT_FALSE(residency("a").hot);
  EXPECT_FALSE(residency("b").hot);
  EXPECT_TRUE(residency("pinned").hot);
  EXPECT_TRUE(residency("local").hot);
}

TEST_F(TiersPolicyTest, OneTierIsEnoughWhereTheOtherIsSkipped) {
  const std::string content = noise(kBytes, 4);
  make("f", content);
  EXPECT_EQ(set(stat("f").inode, "skip=far"), Code::kOk);
  world_.far().faulty.set_down(true);
  EXPECT_TRUE(flush().first_failure.ok());
  EXPECT_EQ(residency("f").bits, 3u);
  EXPECT_EQ(evict("f"), Code::kOk);
  EXPECT_EQ(residency("f").bits, 2u);
  EXPECT_EQ(read("f").value(), content);
}

TEST_F(TiersPolicyTest, ALostDiskTakesWhatWasOnItOnly) {
  const std::string content = noise(kBytes, 5);
  for (const char* name : {"near", "local"}) make(name, content);
  EXPECT_EQ(set(stat("near").inode, "skip=far"), Code::kOk);
  EXPECT_EQ(set(stat("local").inode, "skip=near,far"), Code::kOk);
  flush();
  ASSERT_TRUE(world_.unmount());
  world_.lose_disk();
  ASSERT_TRUE(world_.mount());
  EXPECT_FALSE(read("local"));  // it is not zeros
  world_.near().faulty.set_down(true);
  EXPECT_FALSE(read("near"));
  world_.near().faulty.set_down(false);
  EXPECT_EQ(read("near").value(), content);
  EXPECT_TRUE(world_.run(volume().unlink(root_, kRootInode, "local")));
}

TEST_F(TiersPolicyTest, WithoutTiersItIsAnAttributeLikeOthers) {
  TestWorld plain(1, false);
  ASSERT_TRUE(plain.mount());
  EXPECT_TRUE(plain.volume().tier_names().empty());
  EXPECT_EQ(plain.run(plain.volume().set_policy(root_, kRootInode, {.pinned = true})).error(), Code::kNotSupported);
  EXPECT_TRUE(plain.run(plain.volume().setxattr(root_, kRootInode, kAttribute, "anything", meta::XattrMode::kEither)));
  EXPECT_EQ(plain.run(plain.volume().getxattr(root_, kRootInode, kAttribute)).value(), "anything");
}

}  // namespace
}  // namespace firn::vfs
