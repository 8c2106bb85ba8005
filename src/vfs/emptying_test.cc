// Files that are read while somebody cuts them, and whose bytes are in colder tiers: a reader gets what was written, or
// finds the end.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

constexpr uint64_t kBytes = 20 * TestWorld::kChunkBytes + 77;

class EmptyingTest : public testing::Test {
 protected:
  struct Reader {
    bool stop = false;
    uint64_t holes = 0;  // bytes that nobody has written
    uint64_t reads = 0, failed = 0;
    io::Event ended;
  };

  EmptyingTest() { EXPECT_TRUE(world_.mount()); }

  Volume& volume() { return world_.volume(); }
  Attr stat() { return world_.run(volume().lookup(root_, kRootInode, "f")).value(); }
  void make_cold() {
    (void)world_.run(volume().unlink(root_, kRootInode, "f"));
    world_.make("f", content_);
    (void)world_.flush_tiers();
    ASSERT_TRUE(world_.run(volume().evict(stat().inode)));
  }
  Handle* open(int flags) { return world_.run(volume().open(root_, stat().inode, {.flags = flags})).value().handle; }
  void close(Handle* handle) { EXPECT_TRUE(world_.run(volume().release(handle))); }
  std::string read(Handle* handle, uint64_t offset, size_t bytes) {
    std::string content(bytes, '?');
    const auto got = world_.run(volume().read(handle, offset, std::as_writable_bytes(std::span(content))));
    EXPECT_TRUE(got) << (got ? "" : got.error().to_string());
    content.resize(got.value_or(0));
    return content;
  }
  static io::Task<void> read_on(Volume* volume, Handle* handle, Reader* reader) {
    std::string content(kBytes, '?');
    while (!reader->stop) {
      const auto got = co_await volume->read(handle, 0, std::as_writable_bytes(std::span(content)));
      reader->holes += static_cast<uint64_t>(
          std::count(content.begin(), content.begin() + static_cast<int64_t>(got.value_or(0)), '\0'));
      ++reader->reads;
      if (!got) ++reader->failed;
      co_await io::sleep_for(1'000);
    }
    reader->ended.set();
  }
  static io::Task<void> wait_for(Reader* reader) { co_await reader->ended.wait(); }
  static io::Task<void> sleep(int64_t ns) { co_await io::sleep_for(ns); }

  // Reads the file in full, again and again, from `ahead_ns` before `change` until it is done.
  template <class Change>
  void race(int64_t ahead_ns, Change change) {
    make_cold();
    Handle* handle = open(O_RDONLY);
    (void)read(handle, 0, 3000);  // some of it is here
    Reader reader;
    io::detach_on(world_.reactor(), read_on(&volume(), handle, &reader));
    world_.run(sleep(ahead_ns));
    change();
    world_.run(sleep(1'000'000));
    reader.stop = true;
    world_.run(wait_for(&reader));
    EXPECT_GT(reader.reads, 0u);
    EXPECT_EQ(reader.failed, 0u) << ahead_ns;
    EXPECT_EQ(reader.holes, 0u) << ahead_ns;
    close(handle);
  }

  const std::string content_ = std::string(kBytes, 'o');
  const meta::Credentials root_;
  TestWorld world_{1, false, TestWorld::Tiers::kTwo};
};

TEST_F(EmptyingTest, AReaderGetsNoHolesOfWhatIsOpenedWithTruncation) {
  world_.disk().set_latency(100'000);
  for (int round = 0; round < 24; ++round) {
    race(round * 50'000, [this] {
      Handle* writer = open(O_WRONLY | O_TRUNC);
      EXPECT_TRUE(world_.run(volume().write(writer, 0, std::as_bytes(std::span(std::string_view("new"))), {})));
      close(writer);
    });
    EXPECT_EQ(stat().size, 3u);
  }
}

TEST_F(EmptyingTest, AReaderGetsNoHolesOfWhatIsCut) {
  world_.disk().set_latency(100'000);
  for (const uint64_t size : {uint64_t{0}, uint64_t{5000}}) {
    for (int round = 0; round < 16; ++round) {
      race(round * 50'000,
           [&] { EXPECT_TRUE(world_.run(volume().setattr(root_, stat().inode, {.size = size}, nullptr))); });
      EXPECT_EQ(stat().size, size);
    }
  }
}

// Whatever of the cut fails.
TEST_F(EmptyingTest, WhatCouldNotBeEmptiedReadsAsBefore) {
  make_cold();
  for (const bool after_effect : {false, true}) {
    Handle* reader = open(O_RDONLY);
    EXPECT_EQ(read(reader, 0, 3000), content_.substr(0, 3000));
    world_.disk().set_faults(
        io::fail_nth(io::SimCall::kTruncate, 0, {.code = Code::kIo, .after_effect = after_effect}));
    EXPECT_FALSE(world_.run(volume().open(root_, stat().inode, {.flags = O_WRONLY | O_TRUNC})));
    world_.disk().set_faults(nullptr);
    EXPECT_EQ(stat().size, kBytes);
    EXPECT_TRUE(read(reader, 0, kBytes) == content_);
    close(reader);
    Handle* again = open(O_RDWR);
    EXPECT_TRUE(read(again, 0, kBytes) == content_);
    close(again);
    (void)world_.flush_tiers();
    ASSERT_TRUE(world_.run(volume().evict(stat().inode)));
  }
}

}  // namespace
}  // namespace firn::vfs
