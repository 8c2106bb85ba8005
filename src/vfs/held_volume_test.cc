// A volume that may not be served tells nothing of what it holds in memory, and changes nothing.
#include "vfs/held_volume.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

class HeldVolumeTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.serving = Serving{.may = [this] { return may_; }, .wait = [this] { return wait(); }};
    ASSERT_TRUE(world_.mount());
    const auto made = world_.run(
        world_.volume().create(TestWorld::root(), kRootInode, "file", {.mode = 0644}, {.flags = O_RDWR | O_CREAT}));
    ASSERT_TRUE(made);
    inode_ = made->attr.inode;
    handle_ = made->handle;
    ASSERT_TRUE(write("old"));
  }
  void TearDown() override {
    EXPECT_TRUE(world_.run(world_.volume().release(handle_)));  // ends what there is, whatever is the matter
    EXPECT_TRUE(world_.unmount());
  }

  Result<size_t> write(std::string_view text) {
    return world_.run(world_.volume().write(handle_, 0, std::as_bytes(std::span(text)), {}));
  }
  Result<size_t> read() {
    std::string text(3, '?');
    return world_.run(world_.volume().read(handle_, 0, std::as_writable_bytes(std::span(text))));
  }
  io::Task<Result<void>> wait() {
    ++waits_;
    if (fails_) co_return fail(Code::kNotPermitted, "another daemon has taken over");
    may_ = true;
    co_return Result<void>();
  }

  TestWorld world_{1, true};
  InodeId inode_;
  Handle* handle_ = nullptr;
  bool may_ = true, fails_ = false;
  int waits_ = 0;
};

TEST_F(HeldVolumeTest, ItWaitsAndAnswers) {
  EXPECT_TRUE(read());
  EXPECT_EQ(waits_, 0);
  may_ = false;
  EXPECT_TRUE(read());
  EXPECT_TRUE(world_.run(world_.volume().getattr(inode_)));
  EXPECT_EQ(waits_, 1);
}

TEST_F(HeldVolumeTest, WhoMayNotServeAnswersNothing) {
  may_ = false;
  fails_ = true;
  Volume& volume = world_.volume();
  EXPECT_EQ(read().error(), Code::kIo);
  EXPECT_EQ(write("new").error(), Code::kIo);
  EXPECT_EQ(world_.run(volume.getattr(inode_)).error(), Code::kIo);
  EXPECT_EQ(world_.run(volume.lookup(TestWorld::root(), kRootInode, "file")).error(), Code::kIo);
  EXPECT_EQ(world_.run(volume.list_after(kRootInode, "", 10)).error(), Code::kIo);
  EXPECT_EQ(world_.run(volume.open(TestWorld::root(), inode_, {.flags = O_RDONLY})).error(), Code::kIo);
  EXPECT_EQ(world_.run(volume.unlink(TestWorld::root(), kRootInode, "file")).error(), Code::kIo);
  EXPECT_EQ(volume.backing(handle_), nullptr);
  EXPECT_EQ(waits_, 7);
  fails_ = false;
  EXPECT_TRUE(read());
}

}  // namespace
}  // namespace firn::vfs
