// The records behind tiers: what is pending, where chunks are, which blobs are still needed.
#include "meta/tiering.h"

#include "meta/keys.h"
#include "meta/testing/tiering_fixture.h"
#include "meta/tiering_records.h"

namespace firn::meta {
namespace {

using testing::blob_name;
using testing::chunk;
using testing::kFrame;
using testing::run;

class TieringTest : public testing::TieredServiceTest {};
INSTANTIATE_TEST_SUITE_P(Engines, TieringTest,
                         ::testing::Values(testing::Kind::kMemOwned, testing::Kind::kMemShared,
                                           testing::Kind::kRocksdb),
                         testing::kind_name);

TEST_P(TieringTest, ListsWhatIsPending) {
  EXPECT_TRUE(pending().empty());
  const InodeId small = volume().file(kRootInode, "small").inode;
  volume().update(small, {.size = 3, .inline_data = "abc"});
  EXPECT_TRUE(pending().empty());  // it travels with the metadata
  const InodeId large = settled_file("large");
  ASSERT_EQ(pending().size(), 1u);
  const Pending first = pending()[0];
  EXPECT_EQ(first.inode, large);
  EXPECT_EQ(first.generation, content(large).generation);
  touch(large);
  const Pending second = pending()[0];
  EXPECT_GT(second.generation, first.generation);
  EXPECT_EQ(second.since, first.since);  // it has been waiting since then
  volume().chmod(large, 0600);
  volume().update(large, {.atime = Timestamp{1'800'000'000, 0}});
  EXPECT_EQ(pending()[0].generation, second.generation);
  expect_invariants();
}

TEST_P(TieringTest, ACompleteUploadEndsIt) {
  const InodeId file = settled_file("f");
  announce('a');
  const uint64_t generation = content(file).generation;
  EXPECT_TRUE(commit({.inode = file, .generation = generation, .chunks = {chunk(0, generation, 'a')}}));
  EXPECT_EQ(pending().size(), 1u);
  EXPECT_TRUE(commit({.inode = file,
                      .generation = generation,
                      .chunks = {chunk(1, generation, 'a'), chunk(2, generation, 'a')},
                      .complete = true,
                      .chunk_count = 3}));
  EXPECT_TRUE(pending().empty());
  EXPECT_EQ(content(file).uploaded_generation, generation);
  EXPECT_EQ(chunks(file).size(), 3u);
  EXPECT_EQ(chunks(file)[1], chunk(1, generation, 'a'));
  EXPECT_EQ(live_bytes('a'), 3 * kFrame);
  expect_invariants();
}

TEST_P(TieringTest, AChangeMeanwhileKeepsItPending) {
  const InodeId file = settled_file("f");
  announce('a');
  const uint64_t generation = content(file).generation;
  touch(file);
  EXPECT_FALSE(commit({.inode = file,
                       .generation = generation,
                       .chunks = {chunk(0, generation, 'a')},
                       .complete = true,
                       .chunk_count = 1}));
  EXPECT_EQ(pending().size(), 1u);
  EXPECT_LT(content(file).uploaded_generation, content(file).generation);
}

TEST_P(TieringTest, AFileOpenForWritingStaysPending) {
  const InodeId file = settled_file("f");
  announce('a');
  Content live = content(file);
  live.live = true;
  volume().update(file, {.content = live});
  const uint64_t generation = content(file).generation;
  EXPECT_FALSE(commit({.inode = file,
                       .generation = generation,
                       .chunks = {chunk(0, generation, 'a')},
                       .complete = true,
                       .chunk_count = 1}));
  EXPECT_EQ(pending().size(), 1u);
  live.live = false;
  volume().update(file, {.content = live});
  EXPECT_EQ(content(file).generation, generation);  // closing it changes nothing by itself
  EXPECT_TRUE(commit({.inode = file, .generation = generation, .complete = true, .chunk_count = 1}));
  EXPECT_TRUE(pending().empty());
}

TEST_P(TieringTest, CountsWhatOfABlobIsNeeded) {
  const InodeId file = settled_file("f");
  announce('a');
  announce('b');
  const Upload first{.inode = file, .generation = 1, .chunks = {chunk(0, 1, 'a'), chunk(1, 1, 'a'), chunk(2, 1, 'a')}};
  commit(first);
  commit(first);  // as after a lost answer
  EXPECT_EQ(live_bytes('a'), 3 * kFrame);
  touch(file);
  const uint64_t generation = content(file).generation;
  // Shorter now, and its first chunk another.
  EXPECT_TRUE(commit({.inode = file,
                      .generation = generation,
                      .chunks = {chunk(0, generation, 'b')},
                      .complete = true,
                      .chunk_count = 2}));
  EXPECT_EQ(live_bytes('a'), kFrame);
  EXPECT_EQ(live_bytes('b'), kFrame);
  EXPECT_EQ(run(service().forget_blob(blob_name('a'))).error(), Code::kBusy);
  EXPECT_EQ(volume().unlink(kRootInode, "f"), Code::kOk);
  ASSERT_TRUE(run(service().reclaim(file)));
  EXPECT_EQ(live_bytes('a'), 0u);
  EXPECT_EQ(live_bytes('b'), 0u);
  EXPECT_TRUE(pending().empty());
  EXPECT_TRUE(chunks(file).empty());
  EXPECT_TRUE(run(service().forget_blob(blob_name('a'))));
  EXPECT_EQ(run(service().get_blob(blob_name('a'))).error(), Code::kNotFound);
  EXPECT_EQ(run(service().list_blobs("", 10)).value().size(), 1u);
  expect_invariants();
}

TEST_P(TieringTest, KnowsBlobsFromTheirAnnouncement) {
  announce('a');
  announce('b');
  ASSERT_TRUE(run(service().confirm_blob(blob_name('b'), 1)));
  ASSERT_TRUE(run(service().confirm_blob(blob_name('b'), 2)));
  const auto blobs = run(service().list_blobs("", 10)).value();
  ASSERT_EQ(blobs.size(), 2u);
  EXPECT_EQ(blobs[0].name, blob_name('a'));
  EXPECT_EQ(blobs[0].tiers, 0u);
  EXPECT_EQ(blobs[1].tiers, 3u);
  EXPECT_EQ(run(service().list_blobs(blob_name('a'), 10)).value().size(), 1u);
}

TEST_P(TieringTest, NothingLeavesATierForTheSakeOfADamagedCopy) {
  const std::string name = blob_name('b');
  const auto unsound = [&] { return run(service().get_blob(name))->unsound; };
  EXPECT_EQ(run(service().distrust_copy(name, 2)).error(), Code::kNotFound);
  ASSERT_TRUE(run(service().announce_blob(name, 100, 0, 0)));
  ASSERT_TRUE(run(service().confirm_blob(name, 1)));
  ASSERT_TRUE(run(service().distrust_copy(name, 2)));  // which need not have it
  EXPECT_EQ(unsound(), 0u);
  ASSERT_TRUE(run(service().confirm_blob(name, 6)));
  ASSERT_TRUE(run(service().distrust_copy(name, 2)));
  EXPECT_EQ(unsound(), 2u);
  EXPECT_EQ(run(service().begin_leaving(name, 1, 6)).error(), Code::kBusy);
  // That it was put there again does not say that it is kept.
  ASSERT_TRUE(run(service().confirm_blob(name, 2)));
  EXPECT_EQ(run(service().begin_leaving(name, 1, 6)).error(), Code::kBusy);
  // The damaged one may leave.
  ASSERT_TRUE(run(service().begin_leaving(name, 2, 4)));
  EXPECT_EQ(unsound(), 0u);
  ASSERT_TRUE(run(service().confirm_blob(name, 2)));
  ASSERT_TRUE(run(service().distrust_copy(name, 6)));
  ASSERT_TRUE(run(service().trust_copy(name, 2)));
  EXPECT_EQ(unsound(), 4u);
  ASSERT_TRUE(run(service().trust_copy(name, 4)));
  ASSERT_TRUE(run(service().begin_leaving(name, 1, 6)));
}

TEST_P(TieringTest, EvictsOnlyWhatColderTiersHave) {
  const InodeId file = settled_file("f");
  announce('a');
  ASSERT_TRUE(run(service().confirm_blob(blob_name('a'), 1)));
  EXPECT_EQ(run(service().mark_evicted(file)).error(), Code::kBusy);
  const uint64_t generation = content(file).generation;
  commit({.inode = file,
          .generation = generation,
          .chunks = {chunk(0, generation, 'a')},
          .complete = true,
          .chunk_count = 1});
  EXPECT_TRUE(run(service().mark_evicted(file)).value().content.evicted);
  EXPECT_TRUE(content(file).evicted);
  EXPECT_FALSE(run(service().mark_resident(file)).value().content.evicted);
  touch(file);
  EXPECT_EQ(run(service().mark_evicted(file)).error(), Code::kBusy);
  const InodeId small = volume().file(kRootInode, "small").inode;
  EXPECT_EQ(run(service().mark_evicted(small)).error(), Code::kBusy);
}

TEST_P(TieringTest, KeepsTheLocalCopyOfWhatNoTierIsKnownToHaveWhole) {
  const InodeId file = settled_file("f");
  announce('a');
  announce('b');
  const uint64_t generation = content(file).generation;
  ASSERT_TRUE(commit({.inode = file,
                      .generation = generation,
                      .chunks = {chunk(0, generation, 'a'), chunk(1, generation, 'b')},
                      .complete = true,
                      .chunk_count = 2}));
  const std::string name = blob_name('b');
  ASSERT_TRUE(run(service().confirm_blob(blob_name('a'), 3)));
  ASSERT_TRUE(run(service().confirm_blob(name, 3)));
  ASSERT_TRUE(run(service().distrust_copy(name, 3)));
  EXPECT_EQ(run(service().mark_evicted(file)).error(), Code::kCorrupt);
  EXPECT_FALSE(content(file).evicted);
  ASSERT_TRUE(run(service().trust_copy(name, 2)));
  EXPECT_TRUE(run(service().mark_evicted(file)));
  ASSERT_TRUE(run(service().mark_resident(file)));
  ASSERT_TRUE(run(service().distrust_blob(name)));
  EXPECT_EQ(run(service().mark_evicted(file)).error(), Code::kCorrupt);
  // Until a copy is found whole; what a tier need not have says nothing.
  ASSERT_TRUE(run(service().trust_copy(name, 4)));
  EXPECT_EQ(run(service().mark_evicted(file)).error(), Code::kCorrupt);
  ASSERT_TRUE(run(service().trust_copy(name, 2)));
  EXPECT_TRUE(run(service().mark_evicted(file)));
  expect_invariants();
}

TEST_P(TieringTest, ReclaimsFilesOfManyChunks) {
  const InodeId file = settled_file("huge");
  announce('a');
  for (uint64_t i = 0; i < 2500; i += 500) {
    Upload upload{.inode = file, .generation = 1};
    for (uint64_t j = i; j < i + 500; ++j) upload.chunks.push_back(chunk(j, 1, 'a'));
    commit(upload);
  }
  EXPECT_EQ(live_bytes('a'), 2500u * kFrame);
  EXPECT_EQ(testing::code_of(run(service().unlink(testing::root(), kRootInode, "huge", {.unheld = file}))), Code::kOk);
  EXPECT_EQ(volume().orphans().size(), 1u);
  ASSERT_TRUE(run(service().reclaim(file)));
  EXPECT_EQ(live_bytes('a'), 0u);
  EXPECT_TRUE(chunks(file).empty());
  EXPECT_TRUE(volume().orphans().empty());
  expect_invariants();
}

TEST_P(TieringTest, ForgetsChunksOfWhatMovedInline) {
  const InodeId file = settled_file("f");
  announce('a');
  commit({.inode = file, .generation = 1, .chunks = {chunk(0, 1, 'a')}});
  volume().update(file, {.size = 2, .inline_data = "hi", .content = Content{}});
  ASSERT_EQ(pending().size(), 1u);
  EXPECT_FALSE(commit({.inode = file, .generation = content(file).generation, .complete = true}));
  EXPECT_TRUE(pending().empty());
  EXPECT_EQ(live_bytes('a'), 0u);
  expect_invariants();
}

TEST_P(TieringTest, ARetiredBlobTakesNoChunks) {
  const InodeId file = settled_file("f");
  announce('a');
  announce('b');
  commit({.inode = file, .generation = 1, .chunks = {chunk(0, 1, 'b')}});
  EXPECT_TRUE(run(service().retire_blob(blob_name('a'))).value());
  EXPECT_FALSE(run(service().retire_blob(blob_name('b'))).value());  // a chunk refers to it
  EXPECT_EQ(run(service().retire_blob(blob_name('c'))).error(), Code::kNotFound);
  const auto retired = run(service().get_blob(blob_name('a'))).value().dead_since;
  ASSERT_TRUE(retired);
  EXPECT_TRUE(run(service().retire_blob(blob_name('a'))).value());
  EXPECT_EQ(run(service().get_blob(blob_name('a'))).value().dead_since, retired);  // since then
  EXPECT_EQ(run(service().confirm_blob(blob_name('a'), 1)).error(), Code::kStale);
  EXPECT_EQ(run(service().get_blob(blob_name('a'))).value().tiers, 1u);
  const Upload late{.inode = file,
                    .generation = 1,
                    .chunks = {chunk(0, 1, 'b'), chunk(1, 1, 'a')},
                    .complete = true,
                    .chunk_count = 2};
  EXPECT_EQ(run(service().commit_upload(late)).error(), Code::kStale);
  EXPECT_EQ(run(service().move_chunks(file, {{chunk(0, 1, 'b'), chunk(0, 1, 'a')}})).error(), Code::kStale);
  EXPECT_EQ(chunks(file).size(), 1u);
  EXPECT_EQ(pending().size(), 1u);
  ASSERT_TRUE(run(service().revive_blob(blob_name('a'))));
  EXPECT_TRUE(commit(late));
  EXPECT_EQ(live_bytes('a'), kFrame);
  expect_invariants();
}

TEST_P(TieringTest, AForgottenBlobThatIsConfirmedComesBackRetired) {
  const InodeId file = settled_file("f");
  announce('a');
  ASSERT_TRUE(run(service().forget_blob(blob_name('a'))));
  EXPECT_EQ(run(service().confirm_blob(blob_name('a'), 2)).error(), Code::kStale);
  const Blob back = run(service().get_blob(blob_name('a'))).value();
  EXPECT_EQ(back.tiers, 2u);
  EXPECT_TRUE(back.dead_since);
  EXPECT_EQ(run(service().commit_upload({.inode = file, .generation = 1, .chunks = {chunk(0, 1, 'a')}})).error(),
            Code::kStale);
  ASSERT_TRUE(run(service().forget_blob(blob_name('a'))));
  EXPECT_EQ(run(service().commit_upload({.inode = file, .generation = 1, .chunks = {chunk(0, 1, 'a')}})).error(),
            Code::kStale);
}

TEST_P(TieringTest, CountsReferencesAndMendsCounters) {
  const InodeId f = settled_file("f"), g = settled_file("g");
  for (const char name : {'a', 'b', 'c'}) announce(name);
  commit({.inode = f, .generation = 1, .chunks = {chunk(0, 1, 'a'), chunk(1, 1, 'b')}});
  commit({.inode = g, .generation = 1, .chunks = {chunk(7, 1, 'a')}});
  ASSERT_TRUE(run(service().mend_blob(blob_name('b'), 5)));
  uint64_t seen = 0;
  const auto counts = run(service().count_blobs("", 10, [&seen](uint64_t chunks) {
                        seen = chunks;
                        return true;
                      })).value();
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(seen, 3u);
  EXPECT_EQ(counts[0].references, 2u);
  EXPECT_EQ(counts[0].referenced_bytes, 2 * kFrame);
  EXPECT_EQ(counts[0].blob.live_bytes, 2 * kFrame);
  EXPECT_EQ(counts[1].referenced_bytes, kFrame);
  EXPECT_EQ(counts[1].blob.live_bytes, kFrame + 5);
  EXPECT_EQ(counts[2].references, 0u);
  const auto some = run(service().count_blobs(blob_name('a'), 1, nullptr)).value();
  ASSERT_EQ(some.size(), 1u);
  EXPECT_EQ(some[0].blob.name, blob_name('b'));
  EXPECT_EQ(run(service().count_blobs("", 10, [](uint64_t) { return false; })).error(), Code::kInterrupted);
  EXPECT_EQ(run(service().mend_blob(blob_name('x'), 5)).error(), Code::kNotFound);
  EXPECT_EQ(run(service().list_all_chunks(InodeId(), ChunkIndex(), 10)).value().size(), 3u);
  const auto rest = run(service().list_all_chunks(f, ChunkIndex(1), 10)).value();
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].chunk, chunk(1, 1, 'b'));
  EXPECT_EQ(rest[1].inode, g);
}

TEST_P(TieringTest, MovesOnlyChunksThatAreStillThose) {
  const InodeId file = settled_file("f");
  announce('a');
  announce('b');
  commit({.inode = file, .generation = 1, .chunks = {chunk(0, 1, 'a'), chunk(1, 1, 'a')}});
  Chunk moved = chunk(0, 1, 'b');
  moved.frame_bytes = kFrame + 7;
  const std::vector<ChunkMove> moves = {{chunk(0, 1, 'a'), moved},
                                        {chunk(1, 2, 'a'), chunk(1, 2, 'b')},  // another version by now
                                        {chunk(5, 1, 'a'), chunk(5, 1, 'b')}};
  EXPECT_EQ(run(service().move_chunks(file, moves)).value(), 1u);
  EXPECT_EQ(run(service().move_chunks(file, moves)).value(), 0u);
  EXPECT_EQ(chunks(file), (std::vector<Chunk>{moved, chunk(1, 1, 'a')}));
  EXPECT_EQ(live_bytes('a'), kFrame);
  EXPECT_EQ(live_bytes('b'), kFrame + 7);
  EXPECT_EQ(run(service().move_chunks(file, {{chunk(1, 1, 'a'), chunk(0, 1, 'b')}})).error(), Code::kInvalid);
  expect_invariants();
}

TEST_P(TieringTest, AFileOfWhichChunksAreLostIsPending) {
  const InodeId file = settled_file("f");
  announce('a');
  ASSERT_TRUE(run(service().confirm_blob(blob_name('a'), 1)));
  const Upload all{.inode = file,
                   .generation = content(file).generation,
                   .chunks = {chunk(0, 1, 'a'), chunk(1, 1, 'a')},
                   .complete = true,
                   .chunk_count = 2};
  EXPECT_TRUE(commit(all));
  ASSERT_TRUE(run(service().mark_evicted(file)));
  EXPECT_EQ(run(service().lose_chunks(file, {chunk(1, 1, 'a')})).error(), Code::kBusy);
  ASSERT_TRUE(run(service().mark_resident(file)));
  EXPECT_EQ(run(service().lose_chunks(file, {chunk(1, 2, 'a')})).value(), 0u);
  EXPECT_TRUE(pending().empty());
  EXPECT_EQ(run(service().lose_chunks(file, {chunk(1, 1, 'a')})).value(), 1u);
  ASSERT_EQ(pending().size(), 1u);
  EXPECT_EQ(pending()[0].generation, content(file).generation);
  EXPECT_EQ(live_bytes('a'), kFrame);
  // An upload that had seen the chunk's record does not end it.
  EXPECT_FALSE(commit({.inode = file, .generation = all.generation, .complete = true, .chunk_count = 2}));
  const uint64_t generation = content(file).generation;
  EXPECT_EQ(run(service().lose_chunks(file, {chunk(0, 1, 'a')})).value(), 1u);
  EXPECT_FALSE(commit({.inode = file, .generation = generation, .complete = true, .chunk_count = 2}));
  EXPECT_EQ(run(service().lose_chunks(InodeId(4711), {chunk(0, 1, 'a')})).value(), 0u);
  expect_invariants();
}

TEST(TieringRecords, GoldenBytes) {
  EXPECT_EQ(std::string_view(chunk_key(InodeId(1), ChunkIndex(258))),
            std::string_view("C\0\0\0\0\0\0\0\1\0\0\1\2", 13));
  EXPECT_EQ(std::string_view(pending_key(InodeId(1))), std::string_view("P\0\0\0\0\0\0\0\1", 9));
  EXPECT_EQ(std::string_view(blob_key(blob_name('x'))), "B" + blob_name('x'));
  EXPECT_EQ(chunk_of_key(chunk_key(InodeId(1), ChunkIndex(258))), ChunkIndex(258));
  EXPECT_EQ(encode_pending({InodeId(1), 2, {3, 4}}), std::string("\x08\x02\x10\x06\x1d\x04\x00\x00\x00", 9));
  const Chunk one = chunk(1, 2, 'x');
  EXPECT_EQ(decode_chunk(one.index, encode_chunk(one)), one);
  for (const char* bad : {"", "garbage", "\x08"}) {
    EXPECT_FALSE(decode_chunk(ChunkIndex(), bad));
    EXPECT_FALSE(decode_pending(InodeId(1), bad));
  }
  EXPECT_FALSE(decode_blob("short", ""));
  Blob blob{.name = blob_name('x'), .bytes = 1, .tiers = 3, .since = {3, 4}};
  EXPECT_EQ(encode_blob(blob), std::string("\x08\x01\x10\x03\x18\x06\x25\x04\0\0\0", 11));
  EXPECT_FALSE(decode_blob(blob.name, encode_blob(blob)).value().dead_since);
  blob.dead_since = Timestamp{5, 6};
  EXPECT_EQ(encode_blob(blob), std::string("\x08\x01\x10\x03\x18\x06\x25\x04\0\0\0\x28\x0a\x35\x06\0\0\0", 18));
  EXPECT_EQ(decode_blob(blob.name, encode_blob(blob)).value().dead_since, blob.dead_since);
  const Blob narrow{.name = blob_name('x'), .bytes = 1, .tiers = 1, .skip = 2};
  EXPECT_EQ(encode_blob(narrow), "\x08\x01\x10\x01\x38\x02");
  EXPECT_EQ(decode_blob(narrow.name, encode_blob(narrow)).value().skip, 2u);
  const Blob unsound{.name = narrow.name, .bytes = 1, .tiers = 3, .unsound = 2};
  EXPECT_EQ(encode_blob(unsound), "\x08\x01\x10\x03\x58\x02");
  EXPECT_EQ(decode_blob(narrow.name, encode_blob(unsound)).value().unsound, 2u);
  EXPECT_EQ(decode_blob(narrow.name, "\x08\x01\x10\x03").value().unsound, 0u);  // written before there was the field
  EXPECT_FALSE(decode_blob(narrow.name, encode_blob({.name = narrow.name, .tiers = 1, .unsound = 2})));
  EXPECT_FALSE(decode_blob(narrow.name, encode_blob({.name = narrow.name, .skip = kEveryTier + 1})));
}

}  // namespace
}  // namespace firn::meta
