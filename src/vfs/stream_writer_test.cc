// Much data from front to back: what the disk is told ahead and meanwhile, and that nothing depends on it.
#include "vfs/stream_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "object/testing/noise.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

using io::SimCall;

constexpr size_t kPieceBytes = 512 << 10;
constexpr size_t kTotalBytes = (33 << 20) + 1234;

class StreamWriterTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world_.mount());
    const auto opened = world_.run(world_.volume().create_unnamed({}, kRootInode, {.mode = 0644}, {.flags = O_RDWR}));
    ASSERT_TRUE(opened);
    handle_ = opened->handle;
    watch({});
  }
  void TearDown() override {
    world_.disk().set_faults(nullptr);
    EXPECT_TRUE(world_.run(world_.volume().release(handle_)));
    EXPECT_TRUE(world_.unmount());
  }
  // Notes the calls to the disk; those of `failing` fail.
  void watch(std::vector<SimCall> failing) {
    world_.disk().set_faults([this, failing](const io::SimCallInfo& info) {
      calls_.push_back(info.call);
      return io::SimFault{.code = std::ranges::count(failing, info.call) > 0 ? Code::kNoSpace : Code::kOk};
    });
  }
  static io::Task<Result<void>> write_all(StreamWriterTest* test, StreamWriter::Options options) {
    StreamWriter writer(test->world_.volume(), test->handle_, options);
    Result<void> written;
    for (size_t at = 0; written && at < kTotalBytes; at += kPieceBytes)
      written = co_await writer.write(
          std::as_bytes(std::span(test->content_).subspan(at, std::min(kPieceBytes, kTotalBytes - at))));
    test->held_bytes_ = test->world_.disk().used_bytes();
    co_await writer.close();
    if (written) EXPECT_EQ(writer.written_bytes(), kTotalBytes);
    if (written) written = co_await test->world_.volume().fsync(test->handle_, false);
    co_return written;
  }
  Result<void> write(StreamWriter::Options options) { return world_.run(write_all(this, options)); }
  std::string content(uint64_t offset = 0) {
    std::string text(kTotalBytes + 1, '?');
    const auto got = world_.run(world_.volume().read(handle_, offset, std::as_writable_bytes(std::span(text))));
    text.resize(got.value_or(0));
    return text;
  }
  auto count(SimCall call) const { return std::ranges::count(calls_, call); }
  auto first(SimCall call) const { return std::ranges::find(calls_, call) - calls_.begin(); }

  TestWorld world_{5, GetParam()};
  Handle* handle_ = nullptr;
  const std::string content_ = object::testing::noise(kTotalBytes, 9);
  std::vector<SimCall> calls_;
  uint64_t held_bytes_ = 0;  // on the disk, when all was written
};

TEST_P(StreamWriterTest, TheDiskIsBusyBeforeItIsWaitedFor) {
  ASSERT_TRUE(write({.reserved_bytes = kTotalBytes}));
  EXPECT_EQ(count(SimCall::kStartWriteback), 4);
  EXPECT_LT(first(SimCall::kStartWriteback), first(SimCall::kSync));
  const auto writes_before =
      std::count(calls_.begin(), calls_.begin() + first(SimCall::kStartWriteback), SimCall::kWrite);
  EXPECT_LT(writes_before, count(SimCall::kWrite) / 3);
  EXPECT_GE(count(SimCall::kAllocate), 2);
  EXPECT_LE(count(SimCall::kAllocate), 4);
  EXPECT_TRUE(content() == content_);
}

TEST_P(StreamWriterTest, ReservesNoMoreThanItWasTold) {
  ASSERT_TRUE(write({.reserved_bytes = kTotalBytes}));
  EXPECT_LT(held_bytes_, kTotalBytes + (1 << 20));
  calls_.clear();
  ASSERT_TRUE(write({.offset = 7}));
  EXPECT_EQ(count(SimCall::kAllocate), 0);
  EXPECT_TRUE(content(7) == content_);
}

TEST_P(StreamWriterTest, WhatTheDiskCannotDoAheadIsNoFailure) {
  watch({SimCall::kAllocate, SimCall::kStartWriteback});
  ASSERT_TRUE(write({.reserved_bytes = kTotalBytes}));
  EXPECT_GE(count(SimCall::kAllocate), 1);
  EXPECT_GE(count(SimCall::kStartWriteback), 1);
  EXPECT_TRUE(content() == content_);
}

TEST_P(StreamWriterTest, AFullDiskIsTold) {
  world_.disk().set_capacity(world_.disk().used_bytes() + kTotalBytes / 2);
  const Result<void> written = write({.reserved_bytes = kTotalBytes});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::kNoSpace);
  world_.disk().set_capacity(uint64_t{1} << 40);
}

TEST_P(StreamWriterTest, WhereTheEndIsNotKnownNothingIsAsked) {
  ASSERT_TRUE(write({.write = {.append = true}}));
  EXPECT_EQ(count(SimCall::kAllocate) + count(SimCall::kStartWriteback), 0);
  EXPECT_TRUE(content() == content_);
}

INSTANTIATE_TEST_SUITE_P(Vfs, StreamWriterTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "in_memory" : "in_scratch_files"; });

}  // namespace
}  // namespace firn::vfs
