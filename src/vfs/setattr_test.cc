// Changes of attributes that are conditions, or are witnessed, beside what others do to the same file.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "io/sync.h"
#include "meta/witness.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

// With small files being written held in memory, and in scratch files.
class SetAttrTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world_.mount().has_value());
    auto made = world_.run(world_.volume().create(root_, kRootInode, "f", {.mode = 0644}, {.flags = O_RDWR}));
    ASSERT_TRUE(made.has_value());
    handle_ = made->handle;
    inode_ = made->attr.inode;
  }
  void TearDown() override {
    if (handle_) close();
    EXPECT_TRUE(world_.unmount().has_value());
  }
  void close() { EXPECT_TRUE(world_.run(world_.volume().release(std::exchange(handle_, nullptr)))); }
  void write(std::string_view text) {
    EXPECT_TRUE(world_.run(world_.volume().write(handle_, 0, std::as_bytes(std::span(text)), {})));
    pause();
  }
  void pause() { world_.run(io::sleep_for(10'000'000)); }
  Attr now() { return *world_.run(world_.volume().getattr(inode_)); }
  Code set(const Change& change) {
    pause();
    const auto done = world_.run(world_.volume().setattr(root_, inode_, change, nullptr));
    return done ? Code::kOk : done.error().code();
  }
  Change guarded(const Attr& attr) { return {.attributes = {.mode = 0600}, .size = std::nullopt, .guard = attr.ctime}; }

  TestWorld world_{1, GetParam()};
  const meta::Credentials root_;
  Handle* handle_ = nullptr;
  InodeId inode_;
};

TEST_P(SetAttrTest, AGuardRefusesWhateverWasChangedSince) {
  Volume& volume = world_.volume();
  Attr seen = now();
  EXPECT_EQ(set(guarded(seen)), Code::kOk);
  EXPECT_EQ(set(guarded(seen)), Code::kStale);
  seen = now();
  write("written while it is open");
  EXPECT_EQ(set(guarded(seen)), Code::kStale);
  EXPECT_EQ(set(guarded(now())), Code::kOk);
  seen = now();
  pause();
  ASSERT_TRUE(world_.run(volume.setxattr(root_, inode_, "user.x", "1", meta::XattrMode::kEither)));
  EXPECT_EQ(set(guarded(seen)), Code::kStale);
  seen = now();
  pause();
  ASSERT_TRUE(world_.run(volume.rename(root_, kRootInode, "f", kRootInode, "g", {})));
  Change cut = guarded(seen);
  cut.size = 0;
  EXPECT_EQ(set(cut), Code::kStale);
  EXPECT_EQ(now().size, 24u) << "nothing was cut off";
  cut.guard = now().ctime;
  EXPECT_EQ(set(cut), Code::kOk);
  EXPECT_EQ(now().size, 0u);
  close();
  EXPECT_EQ(set(guarded(now())), Code::kOk);
}

TEST_P(SetAttrTest, ChangesOfSizeThatFailChangeNothing) {
  write("some bytes");
  const auto refused = [&](Change change, const meta::Credentials& who, Code why) {
    pause();
    const Attr before = now();
    change.guard = before.ctime;
    const auto done = world_.run(world_.volume().setattr(who, inode_, change, nullptr));
    EXPECT_EQ(done ? Code::kOk : done.error().code(), why);
    EXPECT_EQ(now().size, 10u);
    EXPECT_TRUE(meta::same_version(now(), before)) << "its ctime has moved";
  };
  const auto refuse_all = [&] {
    refused({.attributes = {}, .size = UINT64_MAX}, root_, Code::kFileTooBig);
    const meta::Credentials other{.uid = 5, .gid = 5};
    refused({.attributes = {}, .size = 3}, other, Code::kAccessDenied);
    refused({.attributes = {.uid = 5}, .size = 3, .may_resize = true}, other, Code::kNotPermitted);
    ASSERT_EQ(set({.attributes = {.flags = meta::kFlagImmutable}, .size = std::nullopt}), Code::kOk);
    refused({.attributes = {}, .size = 3}, root_, Code::kNotPermitted);
    ASSERT_EQ(set({.attributes = {.flags = 0}, .size = std::nullopt}), Code::kOk);
  };
  refuse_all();
  close();
  refuse_all();
}

TEST_P(SetAttrTest, WhatTheDiskRefusesChangesNothing) {
  const std::string content(3 * TestWorld::kInlineMax, 'x');
  write(content);
  ASSERT_TRUE(world_.run(world_.volume().fsync(handle_, false)));
  const auto refuse = [&](uint64_t size) {
    pause();
    const Attr before = now();
    world_.disk().set_faults([](const io::SimCallInfo& info) {
      return info.call == io::SimCall::kTruncate ? io::SimFault{.code = Code::kNoSpace} : io::SimFault{};
    });
    EXPECT_EQ(set({.attributes = {}, .size = size, .guard = before.ctime}), Code::kNoSpace);
    world_.disk().set_faults(nullptr);
    EXPECT_TRUE(meta::same_version(now(), before)) << "its ctime has moved";
    EXPECT_EQ(now().size, content.size());
  };
  refuse(10);
  refuse(2 * content.size());
  close();
  refuse(10);
  EXPECT_EQ(set({.attributes = {}, .size = 10, .guard = now().ctime}), Code::kOk);
  EXPECT_EQ(now().size, 10u);
}

// Counts in the time of modification. What is read must still be so when it is written.
io::Task<void> count(Volume& volume, InodeId inode, int times, io::Gate::Entry) {
  const meta::Credentials root;
  for (int done = 0; done < times;) {
    const Attr seen = *co_await volume.getattr(inode);
    co_await io::sleep_for(1'000'000);
    Change change;
    change.attributes.mtime = Timestamp{seen.mtime.seconds + 1, 0};
    change.guard = seen.ctime;
    const Result<Attr> changed = co_await volume.setattr(root, inode, change, nullptr);
    if (changed) ++done;
    if (!changed) EXPECT_EQ(changed.error(), Code::kStale);
    co_await io::sleep_for(changed ? 700'000 : 300'000);
  }
}

io::Task<void> rename_to_and_fro(Volume& volume, int times, io::Gate::Entry) {
  const meta::Credentials root;
  for (int i = 0; i < times; ++i) {
    EXPECT_TRUE(co_await volume.rename(root, kRootInode, i % 2 ? "g" : "f", kRootInode, i % 2 ? "f" : "g", {}));
    co_await io::sleep_for(4'100'000);
  }
}

TEST_P(SetAttrTest, GuardedChangesDoNotOverwriteEachOther) {
  ASSERT_EQ(set({.attributes = {.mtime = Timestamp{1000, 0}}, .size = std::nullopt}), Code::kOk);
  const auto all = [&]() -> io::Task<void> {
    io::Gate gate;
    for (int i = 0; i < 3; ++i) io::detach(count(world_.volume(), inode_, 20, gate.enter()));
    io::detach(rename_to_and_fro(world_.volume(), 20, gate.enter()));
    co_await gate.close();
  };
  world_.run(all());
  EXPECT_EQ(now().mtime.seconds, 1060);
}

TEST_P(SetAttrTest, AWitnessSeesTheOpenFileBeforeAndAfter) {
  write("some bytes");
  const auto check = [&](const Change& change) {
    pause();
    const Attr before = now();
    meta::Witness witness;
    meta::Credentials who = root_;
    who.witness = &witness;
    ASSERT_TRUE(world_.run(world_.volume().setattr(who, inode_, change, nullptr)));
    const meta::Witness::Seen* seen = witness.find(inode_);
    ASSERT_TRUE(seen);
    EXPECT_TRUE(seen->alone);
    EXPECT_EQ(seen->before, meta::version_of(before));
    EXPECT_TRUE(meta::same_version(seen->after, now()));
  };
  const Change changes[] = {{.attributes = {.mode = 0600}, .size = std::nullopt},
                            {.attributes = {.atime_now = true}, .size = std::nullopt},
                            {.attributes = {}, .size = 3},
                            {.attributes = {.mode = 0640, .mtime = Timestamp{5, 0}}, .size = 2}};
  for (const Change& change : changes) check(change);
  close();
  for (const Change& change : changes) check(change);
}

INSTANTIATE_TEST_SUITE_P(Memory, SetAttrTest, testing::Bool());

}  // namespace
}  // namespace firn::vfs
