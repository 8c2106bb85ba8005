// How many files are open for NFS at once.
#include "nfs/open_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "nfs/nfs3_types.h"
#include "vfs/test_world.h"

namespace firn::nfs {
namespace {

io::Task<std::vector<InodeId>> make_files(vfs::Volume& volume) {
  std::vector<InodeId> inodes;
  for (const char* name : {"a", "b", "c"}) {
    const auto made = co_await volume.create({}, kRootInode, name, {.mode = 0600}, {.flags = O_RDWR});
    inodes.push_back(made.value().attr.inode);
    EXPECT_TRUE(co_await volume.release(made->handle));
  }
  co_return inodes;
}

io::Task<void> open_too_many(OpenFiles& files, std::vector<InodeId> inodes) {
  const auto first = co_await files.get(inodes[0], Purpose::kRead);
  const auto second = co_await files.get(inodes[1], Purpose::kWrite);
  EXPECT_TRUE(first && second);
  EXPECT_TRUE(co_await files.get(inodes[0], Purpose::kRead)) << "it is open";
  const auto third = co_await files.get(inodes[2], Purpose::kRead);
  EXPECT_EQ(third.error().code(), Code::kTooManyOpen);
  EXPECT_EQ(nfs_status_of(third.error().code()), NfsStatus::kJukebox);
  EXPECT_EQ((co_await files.enter()).error().code(), Code::kTooManyOpen);
}

// What nobody uses makes room.
io::Task<void> open_one_by_one(OpenFiles& files, std::vector<InodeId> inodes) {
  for (int round = 0; round < 3; ++round)
    for (const InodeId inode : inodes) EXPECT_TRUE(co_await files.get(inode, Purpose::kRead)) << inode.value;
  co_await files.stop();
  EXPECT_EQ((co_await files.get(inodes[0], Purpose::kRead)).error().code(), Code::kUnavailable);
}

// Of two places.
io::Task<void> read_and_write_one(OpenFiles& files, std::vector<InodeId> inodes) {
  EXPECT_TRUE(co_await files.get(inodes[0], Purpose::kRead));
  const auto writer = co_await files.get(inodes[0], Purpose::kWrite);
  EXPECT_TRUE(writer);
  const auto reader = co_await files.get(inodes[0], Purpose::kRead);
  EXPECT_TRUE(reader && *reader == *writer);
  EXPECT_TRUE(co_await files.get(inodes[1], Purpose::kRead)) << "one file has both places";
}

TEST(OpenFiles, OfOneFileIsOneThatReadsAndWrites) {
  vfs::TestWorld world{1, true};
  ASSERT_TRUE(world.mount());
  const std::vector<InodeId> inodes = world.run(make_files(world.volume()));
  OpenFiles files({.volume = world.volume(), .door = 3, .most = 2, .on_lost = [] {}});
  world.run(read_and_write_one(files, inodes));
  world.run(files.stop());
  ASSERT_TRUE(world.unmount());
}

TEST(OpenFiles, AreNoMoreThanMayBe) {
  vfs::TestWorld world{1, true};
  ASSERT_TRUE(world.mount());
  const std::vector<InodeId> inodes = world.run(make_files(world.volume()));
  OpenFiles files({.volume = world.volume(), .door = 3, .most = 2, .on_lost = [] {}});
  world.run(open_too_many(files, inodes));
  world.run(open_one_by_one(files, inodes));
  ASSERT_TRUE(world.unmount());
}

}  // namespace
}  // namespace firn::nfs
