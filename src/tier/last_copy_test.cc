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
  EXPECT_FALSE(world.evict(name));
  // The share that was mounted in their place is away again.
  damage();
  EXPECT_TRUE(scrub_cold(world).clean());
  EXPECT_FALSE(record().damaged);
  world.expect_to_come_back(name, content);
}

}  // namespace
}  // namespace firn::tier
