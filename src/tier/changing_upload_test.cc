// Files that change while they are uploaded: what colder tiers have is a version that there was. On simulated time.
#include <gtest/gtest.h>

#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::World;

constexpr uint64_t kChunkBytes = 16384;
constexpr int64_t kSecond = 1'000'000'000;

// A pass that reads a chunk each second.
class SlowPass {
 public:
  explicit SlowPass(World& world) : world_(world) { io::detach_on(*world.reactor, run(this)); }
  void pass_time(int64_t ns) {
    world_.pass_time(ns);
    EXPECT_FALSE(ended_);
  }
  UploadSummary end() {
    while (!ended_) world_.pass_time(kSecond);
    return done_.value();
  }

 private:
  static io::Task<void> run(SlowPass* self) {
    self->done_ = co_await self->world_.uploader->pass(
        nullptr, {.rate_now = [self] { return self->world_.options.chunk_bytes; }});
    self->ended_ = true;
  }
  World& world_;
  bool ended_ = false;
  Result<UploadSummary> done_ = UploadSummary();
};

struct Recorded {
  explicit Recorded(World& world) : chunks(world.chunks("f")), bytes(world.stat("f").content.uploaded_size) {}
  std::vector<meta::Chunk> chunks;
  std::optional<uint64_t> bytes;
  friend bool operator==(const Recorded&, const Recorded&) = default;
};

std::string version(uint64_t n, uint64_t bytes = 100 * kChunkBytes) { return noise(bytes, n); }

io::Task<void> set_live(World* world, bool live) {
  const auto found = co_await world->meta->lookup({}, kRootInode, "f");
  CO_REQUIRE(found);
  meta::ContentUpdate update;
  update.content = found->content;
  update.content->live = live;
  CO_REQUIRE(co_await world->meta->update_content(found->inode, update));
}

io::Task<void> cut_backing(World* world, uint64_t bytes) {
  InodeId inode;
  const auto object = co_await world->open("f", &inode);
  CO_REQUIRE(object);
  CO_REQUIRE(co_await (*object)->file().truncate(bytes));
}

// Shorter: what is read of it from then on are zeros. As long: it is the bytes of the next version.
TEST(ChangingUpload, AMixtureReplacesNoVersion) {
  for (const uint64_t bytes : {uint64_t{70'000}, 100 * kChunkBytes, 120 * kChunkBytes}) {
    for (const bool near_is_away : {false, true}) {
      World world({.seed = bytes, .chunk_bytes = kChunkBytes});
      world.write("f", version(0));
      world.upload();
      const Recorded former(world);
      world.near->faulty.set_down(near_is_away);
      world.write("f", version(1));
      SlowPass pass(world);
      pass.pass_time(80 * kSecond);
      world.write("f", version(2, bytes));
      EXPECT_EQ(pass.end().files, 0u);
      EXPECT_TRUE(Recorded(world) == former);
      EXPECT_EQ(world.pending(), 1u);
      world.near->faulty.set_down(false);
      EXPECT_EQ(world.upload().files, 1u);
      EXPECT_EQ(world.pending(), 0u);
      world.expect_to_come_back("f", version(2, bytes));
    }
  }
}

TEST(ChangingUpload, AMixtureIsNoFirstVersion) {
  World world({.seed = 2, .chunk_bytes = kChunkBytes});
  world.write("f", version(1));
  SlowPass pass(world);
  pass.pass_time(80 * kSecond);
  world.write("f", version(2));
  pass.end();
  EXPECT_FALSE(Recorded(world).chunks.empty());
  EXPECT_EQ(world.stat("f").content.uploaded_size, std::nullopt);
  EXPECT_EQ(world.upload().files, 1u);
  world.expect_to_come_back("f", version(2));
}

io::Task<void> lose_backing(World* world) {
  const auto found = co_await world->meta->lookup({}, kRootInode, "f");
  CO_REQUIRE(found);
  meta::ContentUpdate update;
  update.content = found->content;
  update.content->backing = BackingId();
  update.content->evicted = true;
  CO_REQUIRE(co_await world->meta->update_content(found->inode, update));
}

// The records are all there, of two versions. As after a restore, there is no more of it than these.
TEST(ChangingUpload, AMixtureIsNoVersionWhenAllElseIsLost) {
  World world({.seed = 6, .chunk_bytes = kChunkBytes});
  world.write("f", version(1));
  SlowPass pass(world);
  pass.pass_time(80 * kSecond);
  world.write("f", version(2));
  pass.end();
  ASSERT_EQ(world.chunks("f").size(), 100u);
  world.run(lose_backing(&world));
  EXPECT_EQ(world.upload().postponed, 1u);
  EXPECT_EQ(world.stat("f").content.uploaded_size, std::nullopt);
  EXPECT_EQ(world.pending(), 1u);
}

TEST(ChangingUpload, WhatIsReadOfAFileThatIsCutMeanwhileReplacesNoVersion) {
  World world({.seed = 3, .chunk_bytes = kChunkBytes});
  world.write("f", version(0));
  world.upload();
  const Recorded former(world);
  world.write("f", version(1));
  world.run(set_live(&world, true));
  world.upload();  // sees that it is open
  world.pass_time(2 * UploadOptions().live_interval_ns);
  SlowPass pass(world);
  pass.pass_time(80 * kSecond);
  world.run(cut_backing(&world, 10));
  pass.end();
  EXPECT_TRUE(Recorded(world) == former);
}

// Nor is all of it read in vain.
TEST(ChangingUpload, EndsSoonAfterTheFileHasChangedOrIsGone) {
  for (const bool gone : {false, true}) {
    World world({.seed = 4, .chunk_bytes = kChunkBytes});
    world.write("f", version(0, 1000 * kChunkBytes));
    SlowPass pass(world);
    pass.pass_time(10 * kSecond);
    gone ? world.remove_name("f") : world.write("f", version(1, 1000 * kChunkBytes));
    EXPECT_LT(pass.end().chunks, 100u);
  }
}

io::Task<void> grow(World* world, uint64_t bytes) {
  co_await cut_backing(world, bytes);
  const auto found = co_await world->meta->lookup({}, kRootInode, "f");
  CO_REQUIRE(found);
  meta::ContentUpdate update;
  update.size = bytes;
  update.mtime = world->reactor->clock().now();
  CO_REQUIRE(co_await world->meta->update_content(found->inode, update));
}

// As `truncate -s` makes it.
TEST(ChangingUpload, MoreThanCanBeReplacedAtOnceIsNotGathered) {
  World world({.seed = 7, .chunk_bytes = 4096, .most_replaced_chunks = 100});
  world.write("f", version(0, 70'000));
  world.upload();
  const Recorded former(world);
  world.run(grow(&world, 4096 * 1000));
  world.write("g", version(1, 70'000));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(done.failed, 1u);
  EXPECT_EQ(done.first_failure.code(), Code::kInvalid);
  EXPECT_TRUE(done.only_refused);
  EXPECT_LT(done.chunks, 150u);
  EXPECT_EQ(world.upload().chunks, 0u);  // nor again
  // A tier that fails is told rather than that.
  world.far->faulty.set_down(true);
  world.write("h", version(2, 70'000));
  const UploadSummary away = world.upload();
  EXPECT_EQ(away.first_failure, Code::kUnavailable);
  EXPECT_FALSE(away.only_refused);
  EXPECT_TRUE(Recorded(world) == former);
}

TEST(ChangingUpload, WhatHasMoreChunksThanCanBeToldApartIsNotUploaded) {
  World world({.seed = 8, .chunk_bytes = 4096});
  world.write("f", version(0, 70'000));
  world.write("g", version(1, 70'000));
  world.run(grow(&world, 4096 * meta::kMaxChunks + 1));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(done.chunks, 18u);
  EXPECT_EQ(done.first_failure.code(), Code::kFileTooBig);
  EXPECT_TRUE(done.only_refused);
}

// What never rests is uploaded all the same: as it is.
TEST(ChangingUpload, AFileThatChangesDuringEachUploadIsUploadedAsItIs) {
  World world({.seed = 5, .chunk_bytes = kChunkBytes});
  world.write("f", version(0));
  world.upload();
  const Recorded former(world);
  for (uint64_t n = 1; n <= 4; ++n) {
    EXPECT_TRUE(Recorded(world) == former) << n;
    world.write("f", version(n, (100 + n) * kChunkBytes));
    SlowPass pass(world);
    pass.pass_time(80 * kSecond);
    world.write("f", version(10 + n, (100 + n) * kChunkBytes));
    EXPECT_EQ(pass.end().postponed, 1u);
  }
  EXPECT_EQ(Recorded(world).bytes, 104 * kChunkBytes);
  EXPECT_EQ(world.pending(), 1u);
  EXPECT_EQ(world.upload().files, 1u);
  world.expect_to_come_back("f", version(14, 104 * kChunkBytes));
  // It rested, and what was so is over.
  const Recorded rested(world);
  world.write("f", version(20));
  SlowPass pass(world);
  pass.pass_time(80 * kSecond);
  world.write("f", version(21));
  pass.end();
  EXPECT_TRUE(Recorded(world) == rested);
}

}  // namespace
}  // namespace firn::tier
