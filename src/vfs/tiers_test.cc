// A volume with colder tiers: what a user does to files that are there only.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "object/testing/noise.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

using object::testing::noise;

constexpr uint64_t kBytes = 20 * TestWorld::kChunkBytes + 77;

class TiersTest : public testing::Test {
 protected:
  TiersTest() { EXPECT_TRUE(world_.mount()); }

  Volume& volume() { return world_.volume(); }
  Attr stat(const std::string& name) { return world_.run(volume().lookup(root_, kRootInode, name)).value(); }
  Handle* open(const std::string& name, int flags) {
    auto opened = world_.run(volume().open(root_, stat(name).inode, {.flags = flags}));
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().to_string());
    return opened ? opened->handle : nullptr;
  }
  void close(Handle* handle) { EXPECT_TRUE(world_.run(volume().release(handle))); }
  std::string read(Handle* handle, uint64_t offset, size_t bytes) {
    std::string content(bytes, '?');
    auto got = world_.run(volume().read(handle, offset, std::as_writable_bytes(std::span(content))));
    EXPECT_TRUE(got) << (got ? "" : got.error().to_string());
    content.resize(got.value_or(0));
    return content;
  }
  std::string read(const std::string& name) {
    Handle* handle = open(name, O_RDONLY);
    std::string content = read(handle, 0, stat(name).size + 1);
    close(handle);
    return content;
  }
  void write(Handle* handle, uint64_t offset, const std::string& content) {
    EXPECT_TRUE(world_.run(volume().write(handle, offset, std::as_bytes(std::span(content)), {})));
  }
  void make(const std::string& name, const std::string& content) { world_.make(name, content); }
  // Made, uploaded, and gone from the local disk.
  std::string make_cold(const std::string& name) {
    const std::string content = noise(kBytes, 1);
    make(name, content);
    flush();
    EXPECT_EQ(evict(name), Code::kOk);
    return content;
  }
  tier::UploadSummary flush() { return world_.flush_tiers(); }
  Code evict(const std::string& name) {
    const auto freed = world_.run(volume().evict(stat(name).inode));
    return freed ? Code::kOk : freed.error().code();
  }
  Residency residency(const std::string& name) { return world_.run(volume().residency(stat(name).inode)).value(); }
  uint64_t on_disk(const std::string& name) {
    return world_.run(world_.store().stat(stat(name).content.backing)).value().allocated_bytes;
  }

  const meta::Credentials root_;
  TestWorld world_{1, false, TestWorld::Tiers::kTwo};
};

TEST_F(TiersTest, WhatIsEvictedReadsTheSame) {
  const std::string content = make_cold("f");
  EXPECT_EQ(on_disk("f"), 0u);
  EXPECT_FALSE(residency("f").hot);
  EXPECT_TRUE(residency("f").uploaded);
  EXPECT_EQ(stat("f").size, kBytes);
  const Timestamp mtime = stat("f").mtime;
  EXPECT_TRUE(read("f") == content);
  EXPECT_TRUE(residency("f").hot);  // all of it was read
  EXPECT_TRUE(read("f") == content);
  EXPECT_EQ(stat("f").mtime, mtime);
  EXPECT_EQ(flush().files, 0u);  // and nothing changed by it
}

TEST_F(TiersTest, OnlyWhatIsReadComesBack) {
  const std::string content = make_cold("f");
  Handle* handle = open("f", O_RDONLY);
  EXPECT_EQ(read(handle, 9 * TestWorld::kChunkBytes + 5, 10), content.substr(9 * TestWorld::kChunkBytes + 5, 10));
  close(handle);
  EXPECT_GT(on_disk("f"), 0u);
  EXPECT_LE(on_disk("f"), 4 * TestWorld::kChunkBytes);
  EXPECT_FALSE(residency("f").hot);
  EXPECT_TRUE(residency("f").partly_hot);
  const uint64_t gets = world_.near().faulty.requests(object::Kind::kGet);
  handle = open("f", O_RDONLY);
  EXPECT_EQ(read(handle, 9 * TestWorld::kChunkBytes, 10), content.substr(9 * TestWorld::kChunkBytes, 10));
  EXPECT_EQ(world_.near().faulty.requests(object::Kind::kGet), gets);  // it had stayed
  close(handle);
  EXPECT_EQ(evict("f"), Code::kOk);
  EXPECT_EQ(on_disk("f"), 0u);
  EXPECT_TRUE(read("f") == content);
}

TEST_F(TiersTest, WritingBringsItBackFirst) {
  std::string content = make_cold("f");
  Handle* handle = open("f", O_RDWR);
  write(handle, 5000, "changed");
  content.replace(5000, 7, "changed");
  close(handle);
  EXPECT_TRUE(read("f") == content);
  EXPECT_EQ(evict("f"), Code::kWouldBlock);
  EXPECT_EQ(flush().chunks, 1u);
  EXPECT_EQ(evict("f"), Code::kOk);
  EXPECT_TRUE(read("f") == content);
}

TEST_F(TiersTest, AGuardedCutOfWhatCannotComeBackChangesNothing) {
  make_cold("f");
  for (TestWorld::Place* tier : {&world_.near(), &world_.far()}) tier->faulty.set_down(true);
  const Attr before = stat("f");
  const Change cut{.attributes = {}, .size = 5000, .guard = before.ctime};
  const auto done = world_.run(volume().setattr(root_, before.inode, cut, nullptr));
  ASSERT_FALSE(done);
  EXPECT_NE(done.error(), Code::kStale) << done.error().to_string();
  EXPECT_TRUE(meta::same_version(stat("f"), before));
  for (TestWorld::Place* tier : {&world_.near(), &world_.far()}) tier->faulty.set_down(false);
  EXPECT_TRUE(world_.run(volume().setattr(root_, before.inode, cut, nullptr)));
  EXPECT_EQ(stat("f").size, 5000u);
}

TEST_F(TiersTest, CuttingToNothingBringsNothingBack) {
  make_cold("f");
  const uint64_t gets = world_.near().faulty.requests(object::Kind::kGet);
  Handle* handle = open("f", O_WRONLY | O_TRUNC);
  write(handle, 0, "new");
  close(handle);
  EXPECT_EQ(read("f"), "new");
  EXPECT_EQ(world_.near().faulty.requests(object::Kind::kGet), gets);
  flush();
  EXPECT_EQ(read("f"), "new");
}

TEST_F(TiersTest, ResizesWhatIsAway) {
  std::string content = make_cold("f");
  for (const uint64_t size : {kBytes - 3000, kBytes + 5000, uint64_t{0}, uint64_t{9000}}) {
    Change change;
    change.size = size;
    ASSERT_TRUE(world_.run(volume().setattr(root_, stat("f").inode, change, nullptr)));
    content.resize(size);
    EXPECT_TRUE(read("f") == content) << size;
    flush();
    EXPECT_EQ(evict("f"), Code::kOk);
    EXPECT_TRUE(read("f") == content) << size;
    EXPECT_EQ(evict("f"), Code::kOk);
  }
}

TEST_F(TiersTest, NoFileIsLargerThanItsChunksCanBeNumbered) {
  make("f", noise(kBytes, 1));
  const uint64_t most = meta::kMaxChunks * TestWorld::kChunkBytes;
  Change change;
  change.size = most + 1;
  EXPECT_EQ(world_.run(volume().setattr(root_, stat("f").inode, change, nullptr)).error().code(), Code::kFileTooBig);
  Handle* handle = open("f", O_RDWR);
  const std::string two = "ab";
  for (const uint64_t offset : {most - 1, most, most + 1, UINT64_MAX}) {
    const auto written = world_.run(volume().write(handle, offset, std::as_bytes(std::span(two)), {}));
    EXPECT_EQ(written.error().code(), Code::kFileTooBig) << offset;
    const auto reserved = world_.run(volume().allocate(handle, io::Allocate::kExtend, offset, 2));
    EXPECT_EQ(reserved.error().code(), Code::kFileTooBig) << offset;
  }
  EXPECT_EQ(world_.run(volume().copy_range(handle, 0, handle, most, 2)).error().code(), Code::kFileTooBig);
  close(handle);
  EXPECT_EQ(stat("f").size, kBytes);
}

TEST_F(TiersTest, AReaderGoesOnWhileItComesBack) {
  std::string content = make_cold("f");
  Handle* reader = open("f", O_RDONLY);
  EXPECT_EQ(read(reader, 0, 100), content.substr(0, 100));
  Handle* writer = open("f", O_WRONLY);
  write(writer, 100, "now");
  EXPECT_EQ(read(reader, 100, 3), "now");
  close(writer);
  EXPECT_EQ(read(reader, kBytes - 10, 100), content.substr(kBytes - 10));
  close(reader);
}

TEST_F(TiersTest, AnOpenFileIsNotEvicted) {
  make("f", noise(kBytes, 2));
  flush();
  Handle* handle = open("f", O_RDONLY);
  EXPECT_EQ(evict("f"), Code::kBusy);
  close(handle);
  EXPECT_EQ(evict("f"), Code::kOk);
}

TEST_F(TiersTest, AFileOpenForLongIsUploadedToo) {
  auto opened = world_.run(volume().create(root_, kRootInode, "log", {.mode = 0644}, {.flags = O_WRONLY}));
  ASSERT_TRUE(opened);
  const std::string content = noise(kBytes, 3);
  write(opened->handle, 0, content);
  ASSERT_TRUE(world_.run(volume().fsync(opened->handle, false)));
  EXPECT_EQ(flush().chunks, 0u);  // it is being written right now
  world_.run([](TestWorld*) -> io::Task<void> { co_await io::sleep_for(3600'000'000'000); }(&world_));
  EXPECT_GT(volume().tier_statistics().uploaded_bytes, kBytes);
  EXPECT_EQ(stat("log").size, kBytes);
  close(opened->handle);
  EXPECT_EQ(flush().chunks, 0u);  // nothing has changed since
  EXPECT_EQ(evict("log"), Code::kOk);
  EXPECT_TRUE(read("log") == content);
}

// Neither synced nor closed: held in memory, or in a scratch file, until it has grown and the background sync sees it.
TEST_F(TiersTest, AFileThatIsNeverSyncedIsUploadedWhileItIsOpen) {
  for (const bool in_memory : {false, true}) {
    TestWorld world(2, in_memory, TestWorld::Tiers::kTwo);
    ASSERT_TRUE(world.mount());
    const std::string content = noise(kBytes, 4);
    Handle* handle = world.create("log", content.substr(0, 100));
    const auto wait_s = [&world](int64_t seconds) {
      world.run([](int64_t ns) -> io::Task<void> { co_await io::sleep_for(ns); }(seconds * 1'000'000'000));
    };
    wait_s(10);
    const auto rest = std::as_bytes(std::span(content)).subspan(100);
    ASSERT_TRUE(world.run(world.volume().write(handle, 100, rest, {})));
    wait_s(3600);
    EXPECT_GT(world.volume().tier_statistics().uploaded_bytes, kBytes) << in_memory;
    EXPECT_TRUE(world.run(world.volume().release(handle)));
  }
}

TEST_F(TiersTest, SmallFilesStayWithTheMetadata) {
  make("small", "abc");
  EXPECT_EQ(flush().files, 0u);
  EXPECT_TRUE(residency("small").is_inline);
  EXPECT_EQ(evict("small"), Code::kOk);
  EXPECT_EQ(read("small"), "abc");
}

TEST_F(TiersTest, AStoreThatIsAwayIsAnErrorAndNothingElse) {
  const std::string content = make_cold("f");
  world_.near().faulty.set_down(true);
  world_.far().faulty.set_down(true);
  Handle* handle = open("f", O_RDONLY);
  std::string buffer(10, '?');
  const auto got = world_.run(volume().read(handle, 0, std::as_writable_bytes(std::span(buffer))));
  EXPECT_FALSE(got);
  world_.far().faulty.set_down(false);
  EXPECT_EQ(read(handle, 0, 10), content.substr(0, 10));
  close(handle);
}

TEST_F(TiersTest, AnOpenForWritingThatFailsLeavesNothingBehind) {
  const std::string content = make_cold("f");
  world_.near().faulty.set_down(true);
  world_.far().faulty.set_down(true);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(world_.run(volume().open(root_, stat("f").inode, {.flags = O_RDWR})));
  EXPECT_EQ(evict("f"), Code::kOk);
  world_.far().faulty.set_down(false);
  close(open("f", O_RDWR));
  EXPECT_EQ(read("f"), content);
}

TEST_F(TiersTest, CopiesFromWhatIsAway) {
  const std::string content = make_cold("f");
  make("g", "");
  Handle* source = open("f", O_RDONLY);
  Handle* target = open("g", O_WRONLY);
  uint64_t at = 0;
  while (const uint64_t copied = world_.run(volume().copy_range(source, at, target, at, 1 << 30)).value()) at += copied;
  EXPECT_EQ(at, kBytes);
  close(source);
  close(target);
  EXPECT_TRUE(read("g") == content);
}

TEST_F(TiersTest, SurvivesARestart) {
  const std::string content = make_cold("f");
  Handle* handle = open("f", O_RDONLY);
  read(handle, 3 * TestWorld::kChunkBytes, 10);
  close(handle);
  ASSERT_TRUE(world_.unmount());
  ASSERT_TRUE(world_.mount());
  EXPECT_TRUE(residency("f").partly_hot);
  EXPECT_TRUE(read("f") == content);
}

TEST_F(TiersTest, ATierThatIsAwayHidesNoOther) {
  const auto bits = [this](const char* name) { return residency(name).bits; };
  make("f", noise(kBytes, 1));
  EXPECT_EQ(bits("f"), 1u);
  world_.far().faulty.set_down(true);
  (void)world_.run(volume().flush_tiers(nullptr, nullptr));
  EXPECT_EQ(bits("f"), 3u);
  EXPECT_FALSE(residency("f").uploaded);
  make("f", noise(kBytes, 2));  // what the nearer has is another version
  EXPECT_EQ(bits("f"), 1u);
  world_.far().faulty.set_down(false);
  flush();
  EXPECT_EQ(bits("f"), 7u);
  // A change of which the farther tier knows: the rest is as it was.
  world_.near().faulty.set_down(true);
  Handle* handle = open("f", O_WRONLY);
  write(handle, 5000, "changed");
  EXPECT_EQ(bits("f"), 1u);
  close(handle);
  EXPECT_EQ(bits("f"), 1u);
  (void)world_.run(volume().flush_tiers(nullptr, nullptr));
  EXPECT_EQ(bits("f"), 5u);
  world_.near().faulty.set_down(false);
  flush();
  EXPECT_EQ(bits("f"), 7u);
}

TEST_F(TiersTest, ALostDiskTakesOnlyWhatWasNotUploaded) {
  const std::string whole = noise(kBytes, 1), old = noise(kBytes, 2), newer = noise(kBytes + 5000, 3);
  make("whole", whole);
  make("changed", old);
  make("small", "abc");
  make("cut", noise(kBytes, 4));
  flush();
  Handle* handle = open("changed", O_WRONLY);
  write(handle, 0, newer);
  close(handle);
  make("never", noise(kBytes, 5));
  ASSERT_TRUE(world_.unmount());
  world_.lose_disk();
  ASSERT_TRUE(world_.mount());
  EXPECT_EQ(read("small"), "abc");
  EXPECT_TRUE(read("whole") == whole);
  EXPECT_TRUE(residency("whole").hot);
  EXPECT_EQ(stat("changed").size, kBytes);  // as a whole it is what was uploaded last
  EXPECT_TRUE(read("changed") == old);
  handle = open("never", O_RDONLY);  // it is not zeros
  std::string buffer(10, '?');
  EXPECT_FALSE(world_.run(volume().read(handle, 0, std::as_writable_bytes(std::span(buffer)))));
  close(handle);
  handle = open("cut", O_WRONLY | O_TRUNC);
  write(handle, 0, newer);
  close(handle);
  handle = open("whole", O_RDWR);
  write(handle, 3, "more");
  close(handle);
  flush();
  ASSERT_TRUE(world_.unmount());
  world_.lose_disk();
  ASSERT_TRUE(world_.mount());
  EXPECT_TRUE(read("cut") == newer);
  EXPECT_EQ(read("whole").substr(0, 10), whole.substr(0, 3) + "more" + whole.substr(7, 3));
  const auto waiting = world_.run(volume().list_pending(InodeId(), 10)).value();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].inode, stat("never").inode);
  EXPECT_TRUE(world_.run(volume().unlink(root_, kRootInode, "never")));
}

TEST_F(TiersTest, ALostDiskDuringWritesLeavesWholeVersions) {
  const std::string first = noise(kBytes, 1);
  make("f", first);
  flush();
  Handle* handle = open("f", O_WRONLY);
  write(handle, 0, noise(kBytes, 2));
  // The nearer tier takes some of it, then all is gone before the rest.
  world_.near().faulty.set_down(true);
  world_.far().faulty.set_down(true);
  (void)world_.run(volume().flush_tiers(nullptr, nullptr));
  close(handle);
  (void)world_.run(volume().flush_tiers(nullptr, nullptr));
  world_.near().faulty.set_down(false);
  world_.far().faulty.set_down(false);
  ASSERT_TRUE(world_.unmount());
  world_.lose_disk();
  ASSERT_TRUE(world_.mount());
  EXPECT_TRUE(read("f") == first);
}

}  // namespace
}  // namespace firn::vfs
