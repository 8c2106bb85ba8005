// A local disk that fills while nothing can be evicted: writers are slowed, then refused, and go on when there is room.
#include "vfs/room.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "object/testing/noise.h"
#include "vfs/test_world.h"

namespace firn::vfs {
namespace {

using object::testing::noise;

constexpr uint64_t kMiB = 1 << 20;

class RoomTest : public testing::Test {
 protected:
  void look(uint64_t used, bool stuck) {
    (void)room_.end_look({.noted = room_.begin_look(),
                          .use = {.used = used * kMiB, .limit = 100 * kMiB, .hard = 110 * kMiB},
                          .stuck = stuck,
                          .now_ns = reactor_.clock().monotonic_ns()});
  }
  static io::Task<void> look_later(RoomTest* test, uint64_t used) {
    (void)co_await io::sleep_for(1'000'000'000);
    test->look(used, false);
  }
  // How long one who writes waits; nullopt: he is refused.
  std::optional<int64_t> write(uint64_t bytes) {
    const int64_t began = reactor_.clock().monotonic_ns();
    if (!room_.note(bytes) && !io::run_to_end(reactor_, room_.admit(bytes, nullptr))) return std::nullopt;
    return reactor_.clock().monotonic_ns() - began;
  }

  io::SimReactor reactor_{{.seed = 1}};
  Room room_;
};

TEST_F(RoomTest, IsFreeUntilALookSaysOtherwise) {
  EXPECT_EQ(write(1000 * kMiB), 0);
  look(80, true);
  EXPECT_EQ(room_.state(), RoomState::kTight);
  EXPECT_EQ(write(kMiB), 0);
}

TEST_F(RoomTest, SlowsMoreAndMoreThenRefuses) {
  std::vector<int64_t> waits;
  for (uint64_t used = 101; used < 110; used += 2) {
    look(used, true);
    EXPECT_EQ(room_.state(), RoomState::kSlowed);
    waits.push_back(write(1).value_or(-1));
  }
  EXPECT_TRUE(std::ranges::is_sorted(waits));
  EXPECT_GT(waits.front(), 0);
  EXPECT_GT(waits.back(), 10 * waits.front());
  EXPECT_LE(waits.back(), Room::kLongestDelayNs);
  look(110, true);
  EXPECT_EQ(room_.state(), RoomState::kFull);
  EXPECT_FALSE(write(0).has_value());
  EXPECT_EQ(room_.report(0).refused, 1u);
  look(90, true);
  EXPECT_EQ(write(kMiB), 0);
}

TEST_F(RoomTest, WhatWasWrittenSinceTheLookCounts) {
  look(100, true);
  EXPECT_LT(write(kMiB).value(), Room::kLongestDelayNs / 50);
  (void)room_.note(7 * kMiB);
  EXPECT_GT(write(1).value(), Room::kLongestDelayNs / 2);
  look(100, true);  // it was not so
  EXPECT_LT(write(1).value(), Room::kLongestDelayNs / 50);
}

TEST_F(RoomTest, NobodyIsRefusedForWhatNoLookHasFound) {
  look(99, true);
  (void)room_.note(50 * kMiB);
  io::detach_on(reactor_, look_later(this, 70));
  const std::optional<int64_t> waited = write(1);
  ASSERT_TRUE(waited);
  EXPECT_GE(*waited, 1'000'000'000);
  EXPECT_LT(*waited, 2'000'000'000);
}

TEST_F(RoomTest, WhatWouldNotFitIsRefusedAtOnce) {
  look(90, true);
  EXPECT_FALSE(write(30 * kMiB).has_value());
  look(90, true);
  EXPECT_TRUE(write(15 * kMiB).has_value());
}

TEST_F(RoomTest, WaitsForEvictionButNotForEver) {
  look(115, false);  // eviction is at work
  EXPECT_EQ(room_.state(), RoomState::kFree);
  EXPECT_FALSE(write(1).has_value());
  EXPECT_GE(reactor_.clock().monotonic_ns(), Room::kLongestWaitNs);
  look(105, false);
  EXPECT_EQ(write(1), 0);
}

// ---- a whole volume ----

class FullVolume : public testing::Test {
 protected:
  static constexpr uint64_t kFile = 8192;
  static constexpr uint64_t kHotMax = 40 * kFile;

  FullVolume() {
    world_.tier_options.hot_max_bytes = kHotMax;
    world_.tier_options.flush_interval_ns = 3'600'000'000'000;
    world_.tier_options.flush_bytes = uint64_t{1} << 40;
    EXPECT_TRUE(world_.mount());
  }

  Volume& volume() { return world_.volume(); }
  Attr stat(const std::string& name) { return world_.run(volume().lookup(root_, kRootInode, name)).value(); }
  void set_down(bool down) {
    world_.near().faulty.set_down(down);
    world_.far().faulty.set_down(down);
  }
  void pass(int64_t seconds) { (void)world_.run(io::sleep_for(seconds * 1'000'000'000)); }
  TierStatistics statistics() { return volume().tier_statistics(); }

  static io::Task<Result<void>> do_write(FullVolume* test, std::string name, std::string content) {
    const Opened file =
        CO_TRY(co_await test->volume().create(test->root_, kRootInode, name, {.mode = 0644}, {.flags = O_WRONLY}));
    const auto written = co_await test->volume().write(file.handle, 0, std::as_bytes(std::span(content)), {});
    const Result<void> closed = co_await test->volume().release(file.handle);
    CO_TRY(written);
    co_return closed;
  }
  Code write(const std::string& name) {
    const std::string content = noise(kFile, std::hash<std::string>()(name));
    const auto done = world_.run(do_write(this, name, content));
    if (done) written_[name] = content;
    return done ? Code::kOk : done.error().code();
  }
  // Until that fails; with what.
  Code fill() {
    for (;; ++next_)
      if (const Code code = write("f" + std::to_string(next_)); code != Code::kOk || next_ > 1000) return code;
  }
  std::string read(const std::string& name) {
    const Opened file = world_.run(volume().open(root_, stat(name).inode, {.flags = O_RDONLY})).value();
    std::string content(stat(name).size, '?');
    EXPECT_TRUE(world_.run(volume().read(file.handle, 0, std::as_writable_bytes(std::span(content)))));
    EXPECT_TRUE(world_.run(volume().release(file.handle)));
    return content;
  }
  void expect_all() {
    for (const auto& [name, content] : written_) EXPECT_TRUE(read(name) == content) << name;
  }
  size_t resident() {
    size_t count = 0;
    for (const auto& [name, content] : written_) count += world_.run(volume().residency(stat(name).inode)).value().hot;
    return count;
  }

  const meta::Credentials root_;
  TestWorld world_{1, false, TestWorld::Tiers::kTwo};
  std::map<std::string, std::string> written_;
  int next_ = 0;
};

TEST_F(FullVolume, WritersAreSlowedThenRefusedAndNothingIsLost) {
  set_down(true);
  EXPECT_EQ(fill(), Code::kNoSpace);
  EXPECT_GE(written_.size() * kFile, kHotMax);
  EXPECT_LE(written_.size() * kFile, kHotMax + kHotMax / 10 + kFile);
  EXPECT_EQ(statistics().room.state, RoomState::kFull);
  EXPECT_GT(statistics().room.slowed_ns, 0);
  // What exists can be read, and is not opened for writing.
  expect_all();
  EXPECT_EQ(world_.run(volume().open(root_, stat("f1").inode, {.flags = O_WRONLY})).error(), Code::kNoSpace);
  Change longer;
  longer.size = 100 * kFile;
  EXPECT_EQ(world_.run(volume().setattr(root_, stat("f1").inode, longer, nullptr)).error(), Code::kNoSpace);
  EXPECT_TRUE(world_.run(volume().sync_all()));
  // Still so much later, as long as no tier answers.
  pass(600);
  EXPECT_EQ(fill(), Code::kNoSpace);
  set_down(false);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  pass(3);
  EXPECT_EQ(statistics().room.state, RoomState::kFree);
  EXPECT_GT(statistics().evicted_files, 0u);
  EXPECT_EQ(write("after"), Code::kOk);
  expect_all();
}

TEST_F(FullVolume, WhatTheMetadataTakesIsNotLeftForFiles) {
  for (; next_ < 30; ++next_) ASSERT_EQ(write("f" + std::to_string(next_)), Code::kOk);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  pass(3);
  EXPECT_EQ(resident(), 30u);
  EXPECT_EQ(statistics().hot_limit_bytes, kHotMax);
  world_.metadata_bytes = kHotMax / 2;
  pass(3);
  EXPECT_EQ(statistics().hot_limit_bytes, kHotMax / 2);
  EXPECT_EQ(statistics().metadata_bytes, kHotMax / 2);
  EXPECT_LE(resident() * kFile, kHotMax / 2 * 70 / 100);
  EXPECT_GT(resident() * kFile, kHotMax / 4);
  // Files keep a part of it.
  world_.metadata_bytes = 10 * kHotMax;
  pass(3);
  EXPECT_EQ(statistics().hot_limit_bytes, kHotMax / 4);
  EXPECT_GT(resident(), 0u);
  expect_all();
}

TEST_F(FullVolume, AnEvictionThatSomebodyAsksForIsNoticedAtOnce) {
  set_down(true);
  EXPECT_EQ(fill(), Code::kNoSpace);
  set_down(false);
  // All is uploaded, and nothing of it has gone by itself yet.
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  for (const auto& [name, content] : written_) (void)world_.run(volume().evict(stat(name).inode));
  (void)world_.run(io::sleep_for(20'000'000));
  EXPECT_EQ(statistics().room.state, RoomState::kFree);
  EXPECT_EQ(write("after"), Code::kOk);
}

TEST_F(FullVolume, RemovingFilesMakesRoom) {
  set_down(true);
  EXPECT_EQ(fill(), Code::kNoSpace);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(world_.run(volume().unlink(root_, kRootInode, "f" + std::to_string(i))));
    written_.erase("f" + std::to_string(i));
  }
  pass(60);  // orphans are swept now and then
  EXPECT_EQ(statistics().room.state, RoomState::kFree);
  EXPECT_EQ(write("after"), Code::kOk);
  expect_all();
}

TEST_F(FullVolume, AnOpenFileThatGrowsIsRefusedToo) {
  set_down(true);
  const Opened file = world_.run(volume().create(root_, kRootInode, "open", {.mode = 0644}, {.flags = O_RDWR})).value();
  const std::string piece = noise(kFile, 1);
  uint64_t bytes = 0;
  for (;; bytes += piece.size()) {
    const auto done = world_.run(volume().write(file.handle, bytes, std::as_bytes(std::span(piece)), {}));
    if (!done) EXPECT_EQ(done.error(), Code::kNoSpace);
    if (!done) break;
    ASSERT_LE(bytes, 2 * kHotMax);
  }
  EXPECT_GE(bytes, kHotMax);
  EXPECT_LE(bytes, kHotMax + kHotMax / 10 + kFile);
  EXPECT_TRUE(world_.run(volume().fsync(file.handle, false)));
  EXPECT_TRUE(world_.run(volume().release(file.handle)));
  EXPECT_EQ(stat("open").size, bytes);
}

TEST_F(FullVolume, WhatIsOpenedOftenStays) {
  for (int i = 0; i < 30; ++i) EXPECT_EQ(write("f" + std::to_string(i)), Code::kOk);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  pass(3600);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(read("f7") == written_["f7"]);
  pass(60);
  for (int i = 0; i < 30; ++i)
    if (i != 7) EXPECT_TRUE(read("f" + std::to_string(i)) == written_["f" + std::to_string(i)]);  // a scan, after that
  for (int i = 30; i < 38; ++i) EXPECT_EQ(write("f" + std::to_string(i)), Code::kOk);
  pass(3);
  EXPECT_LT(resident(), 30u);
  EXPECT_TRUE(world_.run(volume().residency(stat("f7").inode)).value().hot);
  // Its count goes with it, and comes back.
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  ASSERT_TRUE(world_.run(volume().evict(stat("f7").inode)));
  EXPECT_GT(stat("f7").content.access_level, stat("f7").mtime.seconds);
}

TEST_F(FullVolume, OpeningAnEvictedFileForWritingWaitsForWhatCanBeEvicted) {
  ASSERT_EQ(write("cold"), Code::kOk);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  ASSERT_TRUE(world_.run(volume().evict(stat("cold").inode)));
  set_down(true);
  for (; statistics().room.state != RoomState::kSlowed; ++next_) {
    ASSERT_EQ(write("f" + std::to_string(next_)), Code::kOk);
    pass(2);
  }
  set_down(false);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  const auto opened = world_.run(volume().open(root_, stat("cold").inode, {.flags = O_RDWR}));
  ASSERT_TRUE(opened) << opened.error().to_string();
  EXPECT_TRUE(world_.run(volume().release(opened->handle)));
  expect_all();
}

TEST_F(FullVolume, OpeningAnEvictedFileForWritingFailsWhereNothingCanBeEvicted) {
  ASSERT_EQ(write("cold"), Code::kOk);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  ASSERT_TRUE(world_.run(volume().evict(stat("cold").inode)));
  set_down(true);
  EXPECT_EQ(fill(), Code::kNoSpace);
  set_down(false);
  EXPECT_EQ(world_.run(volume().warm(stat("cold").inode, nullptr)).error(), Code::kNoSpace);
  EXPECT_EQ(world_.run(volume().open(root_, stat("cold").inode, {.flags = O_RDWR})).error(), Code::kNoSpace);
  expect_all();
}

// However much is evicted for it.
TEST_F(FullVolume, OpeningWhatCanNeverFitForWritingEvictsNothing) {
  ASSERT_TRUE(world_.unmount());
  world_.tier_options.hot_max_bytes = 100 * kFile;
  ASSERT_TRUE(world_.mount());
  written_["huge"] = noise(50 * kFile, 5);
  world_.make("huge", written_["huge"]);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  ASSERT_TRUE(world_.run(volume().evict(stat("huge").inode)));
  ASSERT_TRUE(world_.unmount());
  world_.tier_options.hot_max_bytes = kHotMax;
  ASSERT_TRUE(world_.mount());
  for (; next_ < 30; ++next_) ASSERT_EQ(write("f" + std::to_string(next_)), Code::kOk);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  pass(3);
  ASSERT_EQ(resident(), 30u);
  EXPECT_EQ(world_.run(volume().open(root_, stat("huge").inode, {.flags = O_RDWR})).error(), Code::kNoSpace);
  EXPECT_EQ(world_.run(volume().warm(stat("huge").inode, nullptr)).error(), Code::kNoSpace);
  EXPECT_EQ(world_.run(volume().setattr(root_, stat("huge").inode, {.size = kFile}, nullptr)).error(), Code::kNoSpace);
  EXPECT_EQ(resident(), 30u);
  EXPECT_EQ(statistics().evicted_files, 0u);
  EXPECT_EQ(statistics().room.refused, 3u);
  EXPECT_EQ(statistics().room.too_large_bytes, 50 * kFile);
  EXPECT_EQ(statistics().room.most_bytes, kHotMax + kHotMax / 10);
  expect_all();
  pass(RoomReport::kToldNs / 1'000'000'000);
  EXPECT_EQ(statistics().room.too_large_bytes, 0u);
  const auto emptied = world_.run(volume().open(root_, stat("huge").inode, {.flags = O_RDWR | O_TRUNC}));
  ASSERT_TRUE(emptied);
  EXPECT_TRUE(world_.run(volume().release(emptied->handle)));
}

TEST_F(FullVolume, WhatIsBroughtBackKeepsToTheBoundMeanwhile) {
  written_["large"] = noise(30 * kFile, 5);
  world_.make("large", written_["large"]);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  ASSERT_TRUE(world_.run(volume().evict(stat("large").inode)));
  for (; next_ < 30; ++next_) ASSERT_EQ(write("f" + std::to_string(next_)), Code::kOk);
  ASSERT_TRUE(world_.run(volume().flush_tiers(nullptr, nullptr)));
  pass(3);
  EXPECT_EQ(resident(), 30u);
  ASSERT_TRUE(world_.run(volume().warm(stat("large").inode, nullptr)));
  const uint64_t ahead = world_.tier_options.chunks_in_flight * TestWorld::kChunkBytes;
  EXPECT_LE(resident() * kFile + 29 * kFile, kHotMax + kHotMax / 10 + ahead);
  EXPECT_TRUE(world_.run(volume().residency(stat("large").inode)).value().hot);
  expect_all();
}

}  // namespace
}  // namespace firn::vfs
