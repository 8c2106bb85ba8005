// What settling counts, and what it takes a full disk for.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>

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
  uint32_t residency(const std::string& name) {
    const Attr attr = world_.run(volume().lookup(root_, kRootInode, name)).value();
    return world_.run(volume().residency(attr.inode)).value().bits;
  }
  void take_turns_of(uint64_t chunks) {
    ASSERT_TRUE(world_.unmount());
    world_.chunks_per_turn = chunks;
    ASSERT_TRUE(world_.mount());
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

// Whatever the background sync, which comes once a second, is at when the flush begins.
TEST_F(SettlingTest, AFlushTakesWhatIsBeingSynced) {
  constexpr int kFiles = 12;  // more than are synced one by one
  for (int round = 0; round < 30; ++round) {
    world_.disk().set_latency(1'000);
    for (int i = 0; i < kFiles; ++i) make("f" + std::to_string(round * kFiles + i), noise(kBytes, 1));
    world_.disk().set_latency(1'000'000'000);
    world_.run(io::sleep_for(round * int64_t{200'000'000}));
    const tier::UploadSummary done = flush();
    EXPECT_EQ(done.postponed, 0u) << round;
    EXPECT_EQ(volume().tier_statistics().pending_files, 0u) << round;
  }
}

TEST_F(SettlingTest, AFlushEndsThoughFilesGoOnBeingMade) {
  world_.set_faults({.min_latency_ns = 400'000'000, .max_latency_ns = 500'000'000});
  make("before", noise(kBytes, 1));
  io::CancelToken patience;
  std::atomic<bool> stop = false;
  const auto go_on = [this, &patience, &stop]() -> io::Task<void> {
    for (int i = 0; !stop; ++i) {
      if (i == 300) patience.cancel();
      const std::string name = "w" + std::to_string(i), content = noise(kBytes, 1);
      Handle* file = (co_await volume().create(root_, kRootInode, name, {}, {.flags = O_WRONLY})).value().handle;
      EXPECT_TRUE(co_await volume().write(file, 0, std::as_bytes(std::span(content)), {}));
      EXPECT_TRUE(co_await volume().release(file));
      co_await io::sleep_for(200'000'000);
    }
  };
  const auto flush_beside = [&]() -> io::Task<Result<tier::UploadSummary>> {
    io::Gate gate;
    io::detach([](auto* making, io::Gate::Entry) -> io::Task<void> { co_await (*making)(); }(&go_on, gate.enter()));
    auto done = co_await volume().flush_tiers(nullptr, &patience);
    stop = true;
    co_await gate.close();
    co_return done;
  };
  const auto done = world_.run(flush_beside());
  ASSERT_TRUE(done && done->first_failure.ok());
  EXPECT_FALSE(patience.cancelled());
  EXPECT_EQ(residency("before"), 7u);
}

// Its content goes with the metadata. Perhaps it is closed, and nobody has told of it yet.
TEST_F(SettlingTest, AFlushSavesWhatIsOpen) {
  Handle* small = world_.create("small", "abc");
  flush();
  EXPECT_EQ(world_.run(world_.service().lookup(root_, kRootInode, "small"))->size, 3u);
  EXPECT_TRUE(world_.run(volume().release(small)));
}

// close(2) returns before the kernel has told of it.
TEST_F(SettlingTest, AFlushTakesWhatIsAboutToBeClosed) {
  Handle* closing = world_.create("closing", noise(kBytes, 1));
  io::detach_on(world_.reactor(), [](Volume* volume, Handle* handle) -> io::Task<void> {
    co_await io::sleep_for(50'000'000);
    EXPECT_TRUE(co_await volume->release(handle));
  }(&volume(), closing));
  EXPECT_EQ(flush().postponed, 0u);
  EXPECT_EQ(volume().tier_statistics().pending_files, 0u);
}

TEST_F(SettlingTest, AFlushDoesNotWaitForWhatIsHeldOpen) {
  Handle* held = world_.create("held", noise(kBytes, 1));
  const int64_t began_ns = world_.reactor().clock().monotonic_ns();
  EXPECT_EQ(flush().postponed, 1u);
  EXPECT_LT(world_.reactor().clock().monotonic_ns() - began_ns, 2'000'000'000);
  EXPECT_EQ(volume().tier_statistics().pending_files, 1u);
  EXPECT_TRUE(world_.run(volume().release(held)));
}

// Though a tier is away, too.
TEST_F(SettlingTest, AFlushTakesLargeFilesToTheirEnds) {
  take_turns_of(8);
  make("large", noise(8 * kBytes, 1));
  make("small", noise(kBytes, 2));
  world_.near().faulty.set_down(true);
  const tier::UploadSummary away = world_.run(volume().flush_tiers(nullptr, nullptr)).value();
  EXPECT_EQ(away.first_failure, Code::kUnavailable);
  EXPECT_EQ(away.failed, 2u);
  EXPECT_EQ(residency("large"), 5u);
  EXPECT_EQ(residency("small"), 5u);
  world_.near().faulty.set_down(false);
  EXPECT_EQ(flush().failed, 0u);
  EXPECT_EQ(residency("large"), 7u);
  EXPECT_EQ(volume().tier_statistics().pending_files, 0u);
}

TEST_F(SettlingTest, AFlushOfOneFileWaitsForATurnOfALargeOne) {
  take_turns_of(8);
  make("large", noise(8 * kBytes, 1));
  world_.set_faults({.min_latency_ns = 1'000'000'000, .max_latency_ns = 1'100'000'000});
  wait_s(world_.tier_options.flush_interval_ns / 1'000'000'000 + 3);
  EXPECT_TRUE(volume().tier_statistics().uploading);
  make("small", noise(kBytes, 2));
  const FileSet only{world_.run(volume().lookup(root_, kRootInode, "small")).value().inode};
  EXPECT_EQ(world_.run(volume().flush_tiers(&only, nullptr)).value().files, 1u);
  EXPECT_EQ(residency("small"), 7u);
  EXPECT_NE(residency("large"), 7u);
  world_.set_faults({});
  wait_s(60);
  EXPECT_EQ(residency("large"), 7u);  // by itself
}

// It is no failure of a tier, after which others wait for a minute.
TEST_F(SettlingTest, AFileThatIsRefusedKeepsNoOtherWaiting) {
  ASSERT_TRUE(world_.unmount());
  world_.most_replaced_chunks = 10;
  world_.tier_options.flush_interval_ns = 1'000'000'000;
  ASSERT_TRUE(world_.mount());
  make("refused", noise(kBytes, 1));
  flush();
  make("refused", noise(kBytes, 2));
  wait_s(300);
  EXPECT_EQ(residency("refused"), 1u);
  EXPECT_EQ(volume().tier_statistics().last_failure, Code::kInvalid);
  for (int i = 0; i < 20; ++i) {
    const std::string name = "other" + std::to_string(i);
    make(name, noise(kBytes, 3));
    wait_s(7);
    EXPECT_EQ(residency(name), 7u) << i;
  }
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

// The one that is to go first is held, and would have been enough.
TEST_F(SettlingTest, AFileThatCannotGoKeepsNoOtherFromGoing) {
  make("first", noise(10 * kBytes, 1));
  flush();
  const Attr attr = world_.run(volume().lookup(root_, kRootInode, "first")).value();
  Handle* held = world_.run(volume().open(root_, attr.inode, {.flags = O_RDONLY})).value().handle;
  wait_s(24 * 3600);  // so that its having been opened counts for little
  for (const char* name : {"a", "b", "c"}) make(name, noise(kBytes, 2));
  flush();
  const uint64_t used = world_.disk().used_bytes();
  world_.disk().set_capacity(10 * used);
  world_.disk().set_reserved(10 * used - used - used / 100);
  wait_s(3);
  EXPECT_TRUE(is_hot("first"));
  EXPECT_FALSE(is_hot("a") || is_hot("b") || is_hot("c"));
  EXPECT_TRUE(world_.run(volume().release(held)));
  world_.disk().set_reserved(10 * used - used / 2);
  wait_s(60);
  EXPECT_FALSE(is_hot("first"));
}

// ---- what came back of evicted files ----

class ReturnedParts : public SettlingTest {
 protected:
  static constexpr uint64_t kSlack = kBytes / 2;  // what a second of reading may add

  void remount(uint64_t hot_max) {
    ASSERT_TRUE(world_.unmount());
    world_.set_hot_max(hot_max);
    ASSERT_TRUE(world_.mount());
  }
  void make_cold(int files) {
    for (int i = 0; i < files; ++i) {
      const std::string name = "f" + std::to_string(i);
      content_[name] = noise(kBytes, static_cast<uint64_t>(i));
      make(name, content_[name]);
    }
    flush();
    for (const auto& [name, content] : content_) ASSERT_TRUE(world_.run(volume().evict(inode(name))));
    ASSERT_EQ(on_disk(), 0u);
  }
  Attr stat(const std::string& name) { return world_.run(volume().lookup(root_, kRootInode, name)).value(); }
  InodeId inode(const std::string& name) { return stat(name).inode; }
  Handle* open(const std::string& name, int flags) {
    return world_.run(volume().open(root_, inode(name), {.flags = flags})).value().handle;
  }
  void close(Handle* handle) { EXPECT_TRUE(world_.run(volume().release(handle))); }
  void read(Handle* handle, const std::string& name, uint64_t offset, size_t bytes) {
    std::string got(bytes, '?');
    ASSERT_TRUE(world_.run(volume().read(handle, offset, std::as_writable_bytes(std::span(got)))));
    EXPECT_TRUE(got == content_[name].substr(offset, bytes)) << name << " at " << offset;
  }
  void read_half(const std::string& name) {
    Handle* handle = open(name, O_RDONLY);
    read(handle, name, 0, kBytes / 2);
    close(handle);
  }
  // What the files take of the local disk.
  uint64_t on_disk() {
    uint64_t bytes = 0;
    for (const auto& [name, content] : content_)
      bytes += world_.run(world_.store().stat(stat(name).content.backing)).value().allocated_bytes;
    return bytes;
  }

  std::map<std::string, std::string> content_;
};

TEST_F(ReturnedParts, OfManyFilesKeepToTheBound) {
  constexpr uint64_t kHotMax = 3 * kBytes;
  make_cold(20);
  remount(kHotMax);
  for (const auto& [name, content] : content_) {
    read_half(name);
    wait_s(2);
    EXPECT_LE(on_disk(), kHotMax + kSlack) << name;
  }
  EXPECT_GT(on_disk(), kHotMax / 2);
  EXPECT_EQ(volume().tier_statistics().hot_bytes, on_disk());
  EXPECT_GT(volume().tier_statistics().evicted_bytes, 0u);
  EXPECT_EQ(volume().tier_statistics().room.state, RoomState::kFree);
  for (const auto& [name, content] : content_) read_half(name);
}

TEST_F(ReturnedParts, AreKnownAfterARestart) {
  make_cold(8);
  for (const auto& [name, content] : content_) read_half(name);
  EXPECT_GE(on_disk(), 8 * (kBytes / 2));
  EXPECT_EQ(volume().tier_statistics().hot_bytes, on_disk());
  remount(2 * kBytes);
  wait_s(5);
  EXPECT_LE(on_disk(), 2 * kBytes);
  EXPECT_EQ(volume().tier_statistics().hot_bytes, on_disk());
  for (const auto& [name, content] : content_) read_half(name);
}

TEST_F(ReturnedParts, GoWithTheirFiles) {
  make_cold(3);
  for (const auto& [name, content] : content_) read_half(name);
  close(open("f0", O_WRONLY | O_TRUNC));
  content_["f0"].clear();
  ASSERT_TRUE(world_.run(volume().unlink(root_, kRootInode, "f1")));
  content_.erase("f1");
  wait_s(60);
  EXPECT_EQ(volume().tier_statistics().hot_bytes, on_disk());
  // Once it is whole, it counts as others do.
  ASSERT_TRUE(world_.run(volume().warm(inode("f2"), nullptr)));
  EXPECT_TRUE(is_hot("f2"));
  wait_s(2);
  EXPECT_EQ(volume().tier_statistics().hot_bytes, on_disk());
}

// Nothing of a file can go while it is read: there is room beside it all the same.
TEST_F(ReturnedParts, OfAnOpenFileLeaveRoom) {
  constexpr uint64_t kHotMax = kBytes / 2;
  make_cold(1);
  remount(kHotMax);
  wait_s(2);
  Handle* reader = open("f0", O_RDONLY);
  for (uint64_t offset = 0; offset < kBytes; offset += 1000) {
    read(reader, "f0", offset, std::min<uint64_t>(1000, kBytes - offset));
    wait_s(1);
    EXPECT_LE(on_disk(), kHotMax * 3 / 4) << offset;
  }
  EXPECT_GT(on_disk(), 0u);
  EXPECT_EQ(volume().tier_statistics().hot_bytes, on_disk());
  EXPECT_EQ(volume().tier_statistics().room.state, RoomState::kFree);
  close(reader);
}

TEST_F(ReturnedParts, KeepToTheBoundWhereNothingMayBeEvicted) {
  constexpr uint64_t kHotMax = 3 * kBytes;
  make_cold(20);
  world_.read_only = true;
  remount(kHotMax);
  wait_s(2);
  for (const auto& [name, content] : content_) {
    read_half(name);
    wait_s(1);
    EXPECT_LE(on_disk(), kHotMax + kSlack) << name;
  }
  EXPECT_EQ(volume().tier_statistics().evicted_files, 0u);
  ASSERT_TRUE(world_.unmount());
  world_.read_only = false;
  ASSERT_TRUE(world_.mount());
}

}  // namespace
}  // namespace firn::vfs
