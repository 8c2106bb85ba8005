// What a user of the volume notices, on the simulator: where bytes live must not show.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "vfs/fsck/fsck.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

// With small files being written held in memory, and in scratch files.
class VolumeTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { ASSERT_TRUE(world_.mount().has_value()); }
  void TearDown() override {
    EXPECT_TRUE(world_.unmount().has_value());
    auto store = data::make_hot_store({.disk = world_.disk(), .root = "/hot"});
    auto report = world_.run(fsck(world_.engine(), *store, {}));
    ASSERT_TRUE(report.has_value());
    for (const FsckProblem& problem : report->problems) ADD_FAILURE() << problem.path << ": " << problem.what;
  }

  Handle* create(std::string name) {
    auto opened =
        world_.run(world_.volume().create(root_, kRootInode, name, {.mode = 0644}, {.flags = O_RDWR | O_CREAT}));
    EXPECT_TRUE(opened.has_value());
    return opened->handle;
  }
  Handle* open(std::string name, int flags) {
    auto attr = lookup(name);
    auto opened = world_.run(world_.volume().open(root_, attr->inode, {.flags = flags}));
    EXPECT_TRUE(opened.has_value()) << opened.error().to_string();
    return opened->handle;
  }
  Result<Attr> lookup(std::string name) { return world_.run(world_.volume().lookup(root_, kRootInode, name)); }
  void write(Handle* handle, uint64_t offset, std::string_view text) {
    auto written = world_.run(world_.volume().write(handle, offset, std::as_bytes(std::span(text)), {}));
    ASSERT_TRUE(written.has_value()) << written.error().to_string();
    EXPECT_EQ(*written, text.size());
  }
  std::string read(Handle* handle, uint64_t offset, size_t bytes) {
    std::string text(bytes, '?');
    auto got = world_.run(world_.volume().read(handle, offset, std::as_writable_bytes(std::span(text))));
    EXPECT_TRUE(got.has_value());
    text.resize(got.value_or(0));
    return text;
  }
  void close(Handle* handle) { EXPECT_TRUE(world_.run(world_.volume().release(handle)).has_value()); }
  std::string content(std::string name) {
    Handle* handle = open(name, O_RDONLY);
    std::string text = read(handle, 0, 1 << 20);
    close(handle);
    return text;
  }
  void resize(std::string name, uint64_t size) {
    Change change;
    change.size = size;
    auto attr = world_.run(world_.volume().setattr(root_, lookup(name)->inode, change, nullptr));
    ASSERT_TRUE(attr.has_value());
    EXPECT_EQ(attr->size, size);
  }

  TestWorld world_{1, GetParam()};
  const meta::Credentials root_;
};

TEST_P(VolumeTest, AVersionThatIsWrittenIsNotReplacedMovedOrRemoved) {
  for (const uint64_t bytes : {uint64_t{10}, 3 * TestWorld::kInlineMax}) {
    Handle* handle = create("f");
    close(create("g"));
    write(handle, 0, std::string(bytes, 'a'));
    const Attr seen = *lookup("f");
    world_.run(io::sleep_for(20'000'000));
    write(handle, 1, "b");
    Volume& volume = world_.volume();
    const auto rename = [&](std::string from, std::string to, meta::RenameOptions options) {
      const Result<void> done = world_.run(volume.rename(root_, kRootInode, from, kRootInode, to, options));
      return done ? Code::kOk : done.error().code();
    };
    const auto unlink = [&](std::string name, const Attr& expected) {
      const Result<void> done = world_.run(volume.unlink(root_, kRootInode, name, &expected));
      return done ? Code::kOk : done.error().code();
    };
    EXPECT_EQ(rename("g", "f", {.replaces = &seen}), Code::kStale);
    EXPECT_EQ(rename("f", "h", {.moves = &seen}), Code::kStale);
    EXPECT_EQ(unlink("f", seen), Code::kStale);
    // Writes go on, and the version that is there by then goes.
    write(handle, 2, "c");
    EXPECT_EQ(content("f").substr(0, 4), "abca");
    const Attr newer = *lookup("f");
    EXPECT_EQ(rename("f", "h", {.moves = &newer}), Code::kOk);
    const Attr moved = *lookup("h");
    EXPECT_EQ(rename("g", "h", {.replaces = &moved}), Code::kOk);
    write(handle, 0, "late");
    close(handle);
    EXPECT_EQ(content("h"), "");
    EXPECT_EQ(unlink("h", *lookup("h")), Code::kOk);
  }
}

TEST_P(VolumeTest, SmallAndLargeContentSurviveCloseAndRemount) {
  const std::string large(3 * TestWorld::kInlineMax, 'L');
  Handle* handle = create("small");
  write(handle, 0, "hello");
  close(handle);
  handle = create("large");
  write(handle, 0, large);
  close(handle);
  EXPECT_FALSE(lookup("small")->content.backing);
  EXPECT_TRUE(lookup("large")->content.settled);
  ASSERT_TRUE(world_.unmount().has_value());
  ASSERT_TRUE(world_.mount().has_value());
  EXPECT_EQ(content("small"), "hello");
  EXPECT_EQ(content("large"), large);
}

TEST_P(VolumeTest, SizeIsRightWhileOpenAndAfter) {
  Handle* handle = create("f");
  EXPECT_EQ(lookup("f")->size, 0u);
  write(handle, 0, "12345");
  EXPECT_EQ(lookup("f")->size, 5u);
  write(handle, TestWorld::kInlineMax, "x");
  EXPECT_EQ(lookup("f")->size, TestWorld::kInlineMax + 1);
  close(handle);
  EXPECT_EQ(lookup("f")->size, TestWorld::kInlineMax + 1);
  EXPECT_EQ(content("f").substr(0, 7), std::string("12345\0\0", 7));
}

TEST_P(VolumeTest, RewritingAnInlineFileKeepsTheRest) {
  close(create("f"));
  Handle* handle = open("f", O_WRONLY);
  write(handle, 0, "abcdef");
  close(handle);
  handle = open("f", O_RDWR);
  write(handle, 2, "XY");
  EXPECT_EQ(read(handle, 0, 100), "abXYef");
  close(handle);
  EXPECT_EQ(content("f"), "abXYef");
  handle = open("f", O_WRONLY | O_TRUNC);
  EXPECT_EQ(lookup("f")->size, 0u);
  close(handle);
  EXPECT_EQ(content("f"), "");
}

TEST_P(VolumeTest, ReaderAndWriterOfOneFileSeeTheSame) {
  Handle* writer = create("f");
  write(writer, 0, "old");
  close(writer);
  Handle* reader = open("f", O_RDONLY);
  EXPECT_EQ(read(reader, 0, 10), "old");
  writer = open("f", O_WRONLY);
  write(writer, 0, "new!");
  EXPECT_EQ(read(reader, 0, 10), "new!");
  close(writer);
  EXPECT_EQ(read(reader, 0, 10), "new!");
  close(reader);
  EXPECT_EQ(content("f"), "new!");
}

TEST_P(VolumeTest, TruncateUpAndDownAcrossTheInlineLimit) {
  Handle* handle = create("f");
  write(handle, 0, "data");
  close(handle);
  resize("f", 2);
  EXPECT_EQ(content("f"), "da");
  resize("f", 4);
  EXPECT_EQ(content("f"), std::string("da\0\0", 4));
  resize("f", 1 << 20);
  EXPECT_EQ(content("f").substr(0, 4), std::string("da\0\0", 4));
  EXPECT_EQ(content("f").size(), 1u << 20);
  resize("f", 1);
  EXPECT_EQ(content("f"), "d");
}

io::Task<bool> pass(int64_t seconds) { return io::sleep_for(seconds * 1'000'000'000); }

TEST_P(VolumeTest, AccessTimesCountAtOnceAndAreKept) {
  Handle* handle = create("small");
  write(handle, 0, "text");
  close(handle);
  const Timestamp before = lookup("small")->atime;
  world_.run(pass(1));
  content("small");
  const Timestamp read_at = lookup("small")->atime;
  EXPECT_GT(read_at, before);
  world_.run(pass(3));  // saved in the background meanwhile
  EXPECT_EQ(lookup("small")->atime, read_at);
  ASSERT_TRUE(world_.unmount());
  ASSERT_TRUE(world_.mount());
  EXPECT_EQ(lookup("small")->atime, read_at);
}

TEST_P(VolumeTest, TimesThatAreSetOutlastEarlierReads) {
  const Timestamp old{1000, 17};
  for (const std::string name : {"small", "large"}) {
    Handle* handle = create(name);
    write(handle, 0, name == "small" ? "text" : std::string(3 * TestWorld::kInlineMax, 'L'));
    close(handle);
    world_.run(pass(1));
    content(name);  // noted, not yet saved
    handle = open(name, O_RDONLY);
    read(handle, 0, 4);
    Change change;
    change.attributes.atime = change.attributes.mtime = old;
    ASSERT_TRUE(world_.run(world_.volume().setattr(root_, lookup(name)->inode, change, nullptr)));
    EXPECT_EQ(lookup(name)->atime, old) << name;
    close(handle);
    EXPECT_EQ(lookup(name)->atime, old) << name;
    world_.run(pass(3));
    EXPECT_EQ(lookup(name)->atime, old) << name;
    EXPECT_EQ(lookup(name)->mtime, old) << name;
  }
}

TEST_P(VolumeTest, UnlinkedFileLivesUntilItsLastClose) {
  Handle* handle = create("f");
  write(handle, 0, std::string(2 * TestWorld::kInlineMax, 'x'));
  const InodeId inode = lookup("f")->inode;
  world_.volume().pin(inode);
  ASSERT_TRUE(world_.run(world_.volume().unlink(root_, kRootInode, "f")).has_value());
  EXPECT_EQ(lookup("f").error().code(), Code::kNotFound);
  EXPECT_EQ(read(handle, 0, 3), "xxx");
  EXPECT_EQ(world_.run(world_.volume().getattr(inode))->nlink, 0u);
  close(handle);
  EXPECT_TRUE(world_.run(world_.volume().getattr(inode)).has_value());
  world_.run(world_.volume().unpin(inode, 1));
  EXPECT_FALSE(world_.run(world_.volume().getattr(inode)).has_value());
}

TEST_P(VolumeTest, UnnamedFileCanBeGivenAName) {
  auto opened = world_.run(world_.volume().create_unnamed(root_, kRootInode, {.mode = 0600}, {.flags = O_RDWR}));
  ASSERT_TRUE(opened.has_value());
  write(opened->handle, 0, "content");
  ASSERT_TRUE(world_.run(world_.volume().link(root_, opened->attr.inode, kRootInode, "named")).has_value());
  close(opened->handle);
  EXPECT_EQ(content("named"), "content");
}

TEST_P(VolumeTest, ListingResumesWhileEntriesComeAndGo) {
  for (int i = 0; i < 50; ++i) close(create("f" + std::to_string(100 + i)));
  auto directory = world_.run(world_.volume().open_directory(root_, kRootInode));
  ASSERT_TRUE(directory.has_value());
  auto first = world_.run(world_.volume().list(*directory, 0, 12, false));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ((*first)[0].name, ".");
  EXPECT_EQ((*first)[1].name, "..");
  EXPECT_EQ((*first)[11].name, "f109");
  // The entry that the cookie stands for goes away, and one comes before it.
  ASSERT_TRUE(world_.run(world_.volume().unlink(root_, kRootInode, "f109")).has_value());
  close(create("a"));
  auto second = world_.run(world_.volume().list(*directory, (*first)[11].cookie, 100, false));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->size(), 40u);
  EXPECT_EQ(second->front().name, "f110");
  world_.volume().release_directory(*directory);
}

TEST_P(VolumeTest, ListingGoesOnAfterANameThatNeedNotBeThere) {
  for (const char* name : {"a", "b", "d"}) close(create(name));
  const auto names_after = [&](const char* name, size_t limit) {
    std::string names;
    for (const Listed& entry : *world_.run(world_.volume().list_after(kRootInode, name, limit))) {
      names += entry.name;
      EXPECT_TRUE(entry.attr && entry.attr->inode == entry.inode);
    }
    return names;
  };
  EXPECT_EQ(names_after("", 10), "abd");
  EXPECT_EQ(names_after("", 2), "ab");
  EXPECT_EQ(names_after("c", 10), "d");
  EXPECT_EQ(names_after("d", 10), "");
}

// The kernel tells a failure once: to the background's sync here, when nobody waits.
TEST_P(VolumeTest, WhatTheDiskLostInTheBackgroundIsToldByFsync) {
  Handle* first = create("f");
  Handle* second = open("f", O_RDWR);
  write(first, 0, std::string(1 << 20, 'x'));
  EXPECT_TRUE(world_.run(world_.volume().fsync(first, true)));
  write(first, 0, std::string(1 << 20, 'y'));
  const uint64_t lost = world_.volume().writes_lost();
  world_.disk().set_faults(io::fail_nth(io::SimCall::kSync, 0, {.code = Code::kIo}));
  world_.run(io::sleep_for(5'000'000'000));
  world_.disk().set_faults(nullptr);
  EXPECT_EQ(world_.volume().writes_lost(), lost + 1);
  Handle* third = open("f", O_RDWR);  // knows of nothing
  EXPECT_EQ(world_.run(world_.volume().fsync(first, true)).error(), Code::kIo);
  EXPECT_TRUE(world_.run(world_.volume().fsync(first, true)));  // told once
  EXPECT_EQ(world_.run(world_.volume().fsync(second, true)).error(), Code::kIo);
  EXPECT_TRUE(world_.run(world_.volume().fsync(third, true)));
  for (Handle* handle : {first, second, third}) close(handle);
}

INSTANTIATE_TEST_SUITE_P(Memory, VolumeTest, testing::Bool());

}  // namespace
}  // namespace firn::vfs
