// The index of contents: frames that equal chunks share.
#include "meta/keys.h"
#include "meta/testing/tiering_fixture.h"
#include "meta/tiering_records.h"

namespace firn::meta {
namespace {

using testing::blob_name;
using testing::chunk;
using testing::kFrame;
using testing::run;

class ContentsTest : public testing::TieredServiceTest {};
INSTANTIATE_TEST_SUITE_P(Engines, ContentsTest,
                         ::testing::Values(testing::Kind::kMemOwned, testing::Kind::kMemShared,
                                           testing::Kind::kRocksdb),
                         testing::kind_name);

std::string hash(char filler) { return std::string(kContentHashBytes, filler); }

// A frame as the index of contents tells of it: without what is only the chunk's.
Chunk frame_of(InodeId inode, Chunk chunk) {
  chunk.origin = origin_of(inode, chunk);
  chunk.index = ChunkIndex();
  chunk.version = 0;
  return chunk;
}

TEST_P(ContentsTest, FindsFramesByTheirContent) {
  const InodeId f = settled_file("f"), g = settled_file("g");
  announce('a');
  EXPECT_EQ(run(service().find_content(hash('1'))).value(), std::nullopt);
  EXPECT_EQ(run(service().find_content("short")).error(), Code::kInvalid);
  commit({.inode = f, .generation = 1, .chunks = {chunk(0, 1, 'a'), chunk(3, 1, 'a')}, .contents = {hash('1'), ""}});
  const Chunk frame = run(service().find_content(hash('1'))).value().value();
  EXPECT_EQ(frame, frame_of(f, chunk(0, 1, 'a')));
  EXPECT_EQ(frame.origin, (FrameOrigin{f, ChunkIndex(0), 1}));
  // Another file's chunk refers to it, and keeps it when the first one is gone.
  Chunk shared = frame;
  shared.index = ChunkIndex(7);
  shared.version = 5;
  commit({.inode = g, .generation = 1, .chunks = {shared}});
  EXPECT_EQ(chunks(g), std::vector<Chunk>{shared});
  EXPECT_EQ(live_bytes('a'), 3 * kFrame);
  const auto counts = run(service().count_blobs("", 10, nullptr)).value();
  EXPECT_EQ(counts[0].references, 3u);
  EXPECT_EQ(counts[0].shared_references, 1u);
  EXPECT_EQ(counts[0].shared_bytes, kFrame);
  EXPECT_EQ(volume().unlink(kRootInode, "f"), Code::kOk);
  ASSERT_TRUE(run(service().reclaim(f)));
  EXPECT_EQ(live_bytes('a'), kFrame);
  EXPECT_EQ(run(service().forget_blob(blob_name('a'))).error(), Code::kBusy);
  EXPECT_EQ(run(service().find_content(hash('1'))).value(), frame);
  expect_invariants();
}

TEST_P(ContentsTest, ContentsOfBlobsThatAreGivenUpAreNotFound) {
  const InodeId file = settled_file("f");
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) {
    announce(name);
    commit({.inode = file, .generation = 1, .chunks = {chunk(0, 1, name)}, .contents = {hash(name)}});
  }
  const auto is_found = [&](char name) { return run(service().find_content(hash(name))).value().has_value(); };
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) EXPECT_TRUE(is_found(name));
  EXPECT_TRUE(run(service().retire_blob(blob_name('a'))).value());
  EXPECT_TRUE(run(service().retire_blob(blob_name('b'))).value());
  ASSERT_TRUE(run(service().forget_blob(blob_name('b'))));
  ASSERT_TRUE(run(service().distrust_blob(blob_name('c'))));
  EXPECT_EQ(run(service().distrust_blob(blob_name('x'))).error(), Code::kNotFound);
  for (const char name : {'a', 'b', 'c'}) {
    EXPECT_FALSE(is_found(name)) << name;
    EXPECT_EQ(run(service().commit_upload({.inode = file, .generation = 1, .chunks = {chunk(9, 1, name)}})).error(),
              Code::kStale);
  }
  // What is uploaded again takes the place of what is not found any more.
  commit({.inode = file, .generation = 1, .chunks = {chunk(5, 1, 'd')}, .contents = {hash('a')}});
  EXPECT_TRUE(is_found('a'));
  // And the rest goes, some at a time.
  std::string after;
  int rounds = 0;
  do {
    after = run(service().drop_dead_contents(after, 2)).value();
    ++rounds;
  } while (!after.empty());
  EXPECT_EQ(rounds, 3);
  const auto transaction = engine_->begin();
  const std::string prefix(Key(Prefix::kContent).str());
  EXPECT_EQ(run(transaction->scan({prefix, kv::prefix_end(prefix)}, 10)).value().size(), 3u);
  for (const char name : {'a', 'd', 'e'}) EXPECT_TRUE(is_found(name)) << name;
  ASSERT_TRUE(run(service().revive_blob(blob_name('a'))));
  EXPECT_TRUE(commit({.inode = file, .generation = 1, .chunks = {chunk(9, 1, 'a')}}));
}

TEST_P(ContentsTest, ContentsFollowChunksThatMove) {
  const InodeId file = settled_file("f");
  announce('a');
  announce('b');
  Chunk shared = chunk(0, 1, 'a');
  shared.origin = FrameOrigin{InodeId(77), ChunkIndex(3), 4};
  commit({.inode = file, .generation = 1, .chunks = {shared}, .contents = {hash('1')}});
  Chunk moved = shared;
  moved.blob = blob_name('b');
  EXPECT_EQ(
      run(service().move_chunks(file, {{shared, moved, hash('1')}, {chunk(4, 1, 'a'), chunk(4, 1, 'b'), hash('2')}}))
          .value(),
      1u);
  EXPECT_EQ(run(service().find_content(hash('1'))).value(), frame_of(file, moved));
  EXPECT_EQ(run(service().find_content(hash('2'))).value(), std::nullopt);  // what did not move
  EXPECT_EQ(live_bytes('a'), 0u);
}

TEST(TieringRecords, GoldenContents) {
  EXPECT_EQ(std::string_view(content_key(hash('x'))), "H" + hash('x'));
  const Chunk plain = chunk(2, 1, 'x');
  Chunk shared = plain;
  shared.origin = FrameOrigin{InodeId(300), ChunkIndex(1), 2};
  EXPECT_EQ(encode_chunk(shared), encode_chunk(plain) + "\x40\xac\x02\x48\x01\x50\x02");
  EXPECT_EQ(decode_chunk(shared.index, encode_chunk(shared)), shared);
  const Chunk frame = frame_of(InodeId(9), shared);
  EXPECT_EQ(frame.origin, shared.origin);
  EXPECT_EQ(decode_content(encode_content(frame)), frame);
  EXPECT_FALSE(decode_content(encode_chunk(plain)));   // whose frame it is, is not said
  EXPECT_FALSE(decode_content(encode_chunk(shared)));  // a version is a chunk's
  EXPECT_FALSE(decode_content("garbage"));
  const Blob damaged{.name = blob_name('x'), .bytes = 1, .tiers = 1, .damaged = true};
  EXPECT_EQ(encode_blob(damaged), "\x08\x01\x10\x01\x40\x01");
  EXPECT_TRUE(decode_blob(damaged.name, encode_blob(damaged)).value().damaged);
}

}  // namespace
}  // namespace firn::meta
