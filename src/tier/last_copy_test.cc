// What no tier has whole stays on the local disk.
#include <gtest/gtest.h>

#include "io/test_environment.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"
#include "tier/testing/scrub.h"

namespace firn::tier {
namespace {

using object::testing::noise;
using testing::make_scrubber;
using testing::scrub_cold;
using testing::World;

constexpr uint64_t kChunkBytes = 4096;

struct LastCopy : public ::testing::Test {
  LastCopy() {
    world.write("f", content);
    world.upload();
    blob = world.chunks("f")[0].blob;
  }
  // Of every copy, until it is called again.
  void damage() {
    const uint64_t at = testing::in_last_block(world.chunks("f")[1]);
    for (testing::Place* place : {world.near.get(), world.far.get()})
      world.flip(*place, key_of(blob_id_of_name(blob)), at);
  }
  // Of "f", which is evicted; what came for it stays.
  static io::Task<std::string> do_read(World* world, uint64_t offset, size_t bytes) {
    InodeId inode;
    const data::ObjectRef object = (co_await world->open("f", &inode)).value();
    const uint64_t size = (co_await world->meta->getattr(inode))->size;
    ColdFile cold(*world->hydrator, inode, size, object, {.chunk_bytes = kChunkBytes});
    std::string got(bytes, '?');
    const auto read = co_await cold.read(offset, std::as_writable_bytes(std::span(got)));
    co_await cold.close();
    got.resize(read.value_or(0));
    co_return got;
  }
  std::string read(uint64_t offset, size_t bytes) { return world.run(do_read(&world, offset, bytes)); }
  meta::Blob record() { return world.run(world.meta->get_blob(blob)).value(); }

  World world{{.seed = 1}};
  const std::string content = noise(6 * kChunkBytes, 1);
  std::string blob;
};

// The rescue comes when the pass ends: until then nothing is to rely on what it has found.
TEST_F(LastCopy, ScrubMarksABlobWhenItFindsItAndNoLater) {
  world.write("g", content);
  world.upload();
  const std::string name = blob == world.blobs()[0].name ? "f" : "g";  // in what is scrubbed first
  blob = world.blobs()[0].name;
  damage();
  int looks = 0;
  io::CancelToken token;
  ScrubOptions options;
  options.progress = [&](std::string_view, uint64_t) {
    if (++looks == 3) token.cancel();  // two are the damaged blob's
  };
  Scrubber scrubber = make_scrubber(world, options);
  std::string cursor;
  EXPECT_EQ(world.run(scrubber.scrub_cold(&cursor, &token)).error(), Code::kInterrupted);
  EXPECT_EQ(cursor, "");
  EXPECT_TRUE(record().damaged);
  EXPECT_EQ(record().unsound, 3u);
  EXPECT_EQ(world.evict(name).error(), Code::kCorrupt);
  // The share that was mounted in their place is away again.
  damage();
  EXPECT_TRUE(scrub_cold(world).clean());
  EXPECT_FALSE(record().damaged);
  world.expect_to_come_back(name, content);
}

// What has come back of an evicted file may be all that there is.
TEST_F(LastCopy, WhatHasComeBackStaysToo) {
  ASSERT_TRUE(world.evict("f"));
  ASSERT_EQ(read(0, 100), content.substr(0, 100));
  const uint64_t back = world.allocated("f");
  ASSERT_GT(back, 0u);
  for (uint32_t tier : {1U, 2U}) ASSERT_TRUE(world.run(world.meta->distrust_copy(blob, tier)));
  EXPECT_EQ(world.evict("f").error(), Code::kCorrupt);
  EXPECT_EQ(world.allocated("f"), back);
  for (testing::Place* place : {world.near.get(), world.far.get()}) place->faulty.set_down(true);
  EXPECT_EQ(read(0, 100), content.substr(0, 100));
  ASSERT_TRUE(world.run(world.meta->trust_copy(blob, 2)));
  EXPECT_TRUE(world.evict("f"));
  EXPECT_EQ(world.allocated("f"), 0u);
}

io::Task<void> distrust_both(World* world, std::string blob) {
  world->before_sync = nullptr;
  CO_REQUIRE(co_await world->meta->distrust_copy(blob, 1));
  CO_REQUIRE(co_await world->meta->distrust_copy(blob, 2));
}

// The record says that the file goes, and its bytes are still there.
TEST_F(LastCopy, WhatIsFoundWhileTheRecordIsSyncedCountsAsWell) {
  world.before_sync = [this] { return distrust_both(&world, blob); };
  EXPECT_EQ(world.evict("f").error(), Code::kCorrupt);
  EXPECT_FALSE(world.stat("f").content.evicted);
  EXPECT_TRUE(world.read("f") == content);
  world.restart(/*power_cut=*/true);
  EXPECT_FALSE(world.stat("f").content.evicted);
  // And where it was evicted before, it stays that.
  ASSERT_TRUE(world.run(world.meta->trust_copy(blob, 3)));
  ASSERT_TRUE(world.evict("f"));
  ASSERT_EQ(read(0, 100), content.substr(0, 100));
  world.before_sync = [this] { return distrust_both(&world, blob); };
  EXPECT_EQ(world.evict("f").error(), Code::kCorrupt);
  EXPECT_TRUE(world.stat("f").content.evicted);
  EXPECT_GT(world.allocated("f"), 0u);
  EXPECT_EQ(read(0, 100), content.substr(0, 100));
}

}  // namespace
}  // namespace firn::tier
