// Chunks that are equal are in colder tiers once; whoever of their files goes, the others keep theirs.
#include "tier/content_index.h"

#include "base/hex.h"
#include "tier/test_dedup.h"

namespace firn::tier {
namespace {

using namespace testing;  // NOLINT: a fixture and what goes with it
using object::Kind;
using object::testing::noise;

constexpr uint32_t kNear = 1, kFar = 2;

TEST(ContentHasher, TellsContentsPoliciesAndVolumesApart) {
  const std::string content = noise(kMinSharedBytes, 1);
  const ContentHasher plain(std::nullopt), sealed(Key{std::byte{1}}), other(Key{std::byte{2}});
  EXPECT_EQ(plain.hash(content, 0).size(), meta::kContentHashBytes);
  EXPECT_EQ(plain.hash(content, 0), plain.hash(std::string(content), 0));
  EXPECT_EQ(sealed.hash(content, 0), ContentHasher(Key{std::byte{1}}).hash(content, 0));
  const std::set<std::string> different = {plain.hash(content, 0), plain.hash(content, 1), plain.hash(content + "x", 0),
                                           sealed.hash(content, 0), other.hash(content, 0)};
  EXPECT_EQ(different.size(), 5u);
  EXPECT_EQ(plain.hash(content.substr(1), 0), "");  // not worth an entry
}

// So is what is on record computed: another one would find nothing of what is there.
TEST(ContentHasher, GoldenHashes) {
  const std::string content(kMinSharedBytes, 'a');
  EXPECT_EQ(firn::to_hex(ContentHasher(std::nullopt).hash(content, 2)),
            "ea4faee4bd89015ae0f9544a94205914067fabccf2e37d9d7fb18ce24a668492");
  EXPECT_EQ(firn::to_hex(ContentHasher(Key{std::byte{1}}).hash(content, 2)),
            "890c65f47d0252a3b5d6fb9cba9d763a6375202b8537f9e8164f2e93fe9d4173");
}

void skip(World& world, const std::string& name, uint32_t tiers) {
  ASSERT_TRUE(world.run(world.meta->set_policy({}, world.stat(name).inode, {.skip = tiers})));
}

class Dedup : public DedupTest {};
INSTANTIATE_TEST_SUITE_P(Blobs, Dedup, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "sealed" : "plain"; });

TEST_P(Dedup, EqualFilesOfOnePassAreSentOnce) {
  world.write("f", content);
  world.write("g", content);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 2u);
  EXPECT_EQ(done.chunks, kChunks);
  EXPECT_EQ(done.chunk_bytes, content.size());
  EXPECT_EQ(done.shared, kChunks);
  EXPECT_EQ(done.shared_bytes, content.size());
  EXPECT_LT(stored_bytes(world), content.size() * 11 / 10);
  EXPECT_EQ(contents_on_record(world), kChunks);
  EXPECT_EQ(world.chunks("f")[2].offset, world.chunks("g")[2].offset);
  EXPECT_FALSE(world.chunks("f")[2].origin);
  EXPECT_EQ(world.chunks("g")[2].origin->inode, world.stat("f").inode);
  expect_all_to_come_back({"f", "g"});
}

TEST_P(Dedup, OneFileMayRepeatItself) {
  const std::string block = noise(kChunkBytes, 5);
  std::string repeated;
  for (int i = 0; i < 10; ++i) repeated += block;
  world.write("f", repeated);
  EXPECT_EQ(world.upload().chunks, 1u);
  expect_sound(world);
  world.expect_to_come_back("f", repeated);
}

TEST_P(Dedup, WhatALaterPassFindsIsNotSent) {
  world.write("f", content);
  world.upload();
  world.write("g", content);
  world.write("h", noise(kChunkBytes, 9) + content.substr(kChunkBytes, kChunkBytes));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 2u);
  EXPECT_EQ(done.chunks, 1u);
  EXPECT_EQ(done.shared, kChunks + 1);
  world.restart(/*power_cut=*/false);
  world.write("i", content);
  EXPECT_EQ(world.upload().blobs, 0u);
  expect_all_to_come_back({"f", "g", "i"});
  world.expect_to_come_back("h", noise(kChunkBytes, 9) + content.substr(kChunkBytes, kChunkBytes));
}

// They are recorded some at a time.
TEST_P(Dedup, ManyChunksOfALargeFileAreFound) {
  const std::string block = noise(kChunkBytes, 5);
  world.write("f", block);
  world.upload();
  std::string large;
  for (int i = 0; i < 600; ++i) large += block;
  world.write("g", large);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(done.shared, 600u);
  EXPECT_EQ(world.chunks("g").size(), 600u);
  expect_sound(world);
  world.expect_to_come_back("g", large);
}

TEST_P(Dedup, AVersionThatComesBackNeedNotBeSent) {
  const std::string other = noise(content.size(), 2);
  world.write("f", content);
  world.upload();
  world.write("f", other);
  EXPECT_EQ(world.upload().chunks, kChunks);
  world.write("f", content);
  const UploadSummary back = world.upload();
  EXPECT_EQ(back.chunks, 0u);
  EXPECT_EQ(back.shared, kChunks);
  // And one that replaces what was there with what another file of the pass has.
  world.write("a", noise(content.size(), 3));
  world.write("f", noise(content.size(), 3));
  EXPECT_EQ(world.upload().chunks, kChunks);
  EXPECT_EQ(world.pending(), 0u);
  expect_sound(world);
  world.expect_to_come_back("f", noise(content.size(), 3));
  world.expect_to_come_back("a", noise(content.size(), 3));
}

TEST_P(Dedup, FilesOfDifferentPoliciesShareNothing) {
  world.write("f", content);
  world.upload();
  world.write("g", content);
  skip(world, "g", kFar);
  world.write("h", content);
  skip(world, "h", kFar);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.chunks, kChunks);
  EXPECT_EQ(done.shared, kChunks);
  EXPECT_EQ(world.far->mem->sizes().size(), 1u);
  expect_all_to_come_back({"f", "g", "h"});
  // A file that is to go everywhere after all finds what is there.
  skip(world, "g", 0);
  EXPECT_EQ(world.upload().chunks, 0u);
  EXPECT_EQ(world.chunks("g")[0].blob, world.chunks("f")[0].blob);
  skip(world, "h", kNear);
  EXPECT_EQ(world.upload().chunks, kChunks);
  expect_all_to_come_back({"f", "g", "h"});
}

TEST_P(Dedup, ATierThatLacksTheBlobGetsIt) {
  world.far->faulty.set_down(true);
  world.write("f", content);
  world.write("g", content);
  EXPECT_EQ(world.upload().failed, 2u);
  world.write("h", content);
  EXPECT_EQ(world.upload().files, 0u);
  world.far->faulty.set_down(false);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 3u);
  EXPECT_EQ(done.copied_blobs, 1u);
  EXPECT_EQ(done.chunks, 0u);
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
  world.near->faulty.set_down(true);
  for (const char* name : {"f", "g", "h"}) world.expect_to_come_back(name, content);
}

// No tier had it in the end: whoever was to share it is sent again, too.
TEST_P(Dedup, WhatDidNotArriveIsNotShared) {
  world.near->faulty.set_down(true);
  world.far->faulty.set_down(true);
  world.write("f", content);
  world.write("g", content);
  EXPECT_EQ(world.upload().failed, 2u);
  EXPECT_EQ(contents_on_record(world), 0u);
  world.near->faulty.set_down(false);
  world.far->faulty.set_down(false);
  EXPECT_EQ(world.upload().chunks, kChunks);
  EXPECT_EQ(world.pending(), 0u);
  expect_all_to_come_back({"f", "g"});
}

// The blob goes between the look and the record: the next pass sends what was to be found in it.
io::Task<void> retire_during(World* world, std::string blob, bool* retired) {
  while (world->near->faulty.requests(Kind::kPut) < 2) (void)co_await io::sleep_for(1'000'000);
  *retired = (co_await world->meta->retire_blob(blob)).value();
}

TEST_P(Dedup, ABlobThatIsGivenUpMeanwhileIsReplaced) {
  world.write("f", content);
  world.upload();
  const std::string blob = world.chunks("f")[0].blob;
  world.remove("f");
  world.write("g", content + noise(kChunkBytes, 6));
  world.near->faulty.set_faults({.min_latency_ns = 1'000'000'000, .max_latency_ns = 1'000'000'000});
  bool retired = false;
  io::detach_on(*world.reactor, retire_during(&world, blob, &retired));
  const UploadSummary stale = world.upload();
  EXPECT_TRUE(retired);
  EXPECT_GT(stale.shared, 0u);
  EXPECT_EQ(stale.failed, 1u);
  EXPECT_EQ(stale.first_failure, Code::kStale);
  EXPECT_EQ(world.pending(), 1u);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_TRUE(done.first_failure.ok());
  world.write("h", content);
  EXPECT_EQ(world.upload().shared, kChunks - 1);  // not the last one, which no other file has any more
  collect(world);
  EXPECT_EQ(world.objects(), world.needed_objects());
  expect_sound(world);
  world.expect_to_come_back("g", content + noise(kChunkBytes, 6));
}

TEST_P(Dedup, OneFileThatIsUploadedByItselfTriesAgain) {
  world.write("f", content);
  world.upload();
  const std::string blob = world.chunks("f")[0].blob;
  world.remove("f");
  world.write("g", content + noise(kChunkBytes, 6));
  world.near->faulty.set_faults({.min_latency_ns = 1'000'000'000, .max_latency_ns = 1'000'000'000});
  bool retired = false;
  io::detach_on(*world.reactor, retire_during(&world, blob, &retired));
  const InodeId inode = world.stat("g").inode;
  EXPECT_EQ(world.run(world.uploader->upload(inode, nullptr)).error(), Code::kConflict);
  EXPECT_TRUE(world.run(world.uploader->upload(inode, nullptr)));
  EXPECT_EQ(world.pending(), 0u);
}

TEST(DedupInFlight, WhatIsOnItsWayIsShared) {
  constexpr uint64_t kLarge = 4 << 20;
  World world({.seed = 3,
               .faults = {.min_latency_ns = 1'000'000'000, .max_latency_ns = 1'000'000'000},
               .chunk_bytes = kLarge,
               .dedup = true});
  // More than a blob, so that its first chunk is on its way while the last ones are read.
  const std::string content = noise(17 * kLarge, 1);
  world.write("f", content);
  world.write("g", content.substr(0, kLarge));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.blobs, 2u);
  EXPECT_EQ(done.chunks, 17u);
  EXPECT_EQ(done.shared, 1u);
  EXPECT_EQ(done.files, 2u);
  EXPECT_EQ(world.chunks("g")[0].blob, world.chunks("f")[0].blob);
  world.expect_to_come_back("g", content.substr(0, kLarge));
}

TEST(DedupOff, NothingIsSharedUnlessItIsAskedFor) {
  World world({.seed = 4, .chunk_bytes = kChunkBytes});
  world.write("f", noise(3 * kChunkBytes, 1));
  world.write("g", noise(3 * kChunkBytes, 1));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.chunks, 6u);
  EXPECT_EQ(done.shared, 0u);
  EXPECT_EQ(contents_on_record(world), 0u);
}

}  // namespace
}  // namespace firn::tier
