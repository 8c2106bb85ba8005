// Policies: who sets them, who inherits them, and what being pending follows from them.
#include "meta/keys.h"
#include "meta/testing/fixture.h"
#include "meta/testing/invariants.h"
#include "meta/tiering.h"

namespace firn::meta {
namespace {

using testing::code_of;
using testing::run;
using testing::user;

constexpr uint32_t kNear = 1, kFar = 2;

class PolicyTest : public testing::ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    Options options = testing::small_options(clock_, GetParam());
    options.tiered = true;
    volume_ = std::make_unique<testing::Volume>(*engine_, options);
  }
  void TearDown() override {
    EXPECT_EQ(testing::contradictions(*engine_), std::vector<std::string>());
    ServiceTest::TearDown();
  }

  Policy policy(InodeId inode) { return v().stat(inode).policy; }
  Code set(InodeId inode, PolicyChange change, const Credentials& who = {}) {
    return code_of(run(service().set_policy(who, inode, change)));
  }
  void skip(InodeId inode, uint32_t tiers) { ASSERT_EQ(set(inode, {.skip = tiers}), Code::kOk); }
  InodeId settled_file(InodeId parent, std::string_view name) {
    const InodeId inode = v().file(parent, name).inode;
    v().update(inode, {.size = 4096,
                       .allocated_bytes = 8192,
                       .content = Content{.backing = BackingId(inode.value), .settled = true},
                       .mtime = Timestamp{1'700'000'100, 0}});
    return inode;
  }
  void touch(InodeId inode) { v().update(inode, {.mtime = Timestamp{1'700'000'200, 0}}); }
  size_t pending() { return run(service().list_pending(InodeId(), 100)).value().size(); }
  size_t chunks(InodeId inode) { return run(service().list_chunks(inode, ChunkIndex(), 100)).value().size(); }
  // As the uploader does it, where tiers have everything at once.
  bool upload(InodeId inode, bool with_chunk = true) {
    const std::string name(kBlobNameBytes, 'b');
    if (with_chunk) EXPECT_TRUE(run(service().announce_blob(name, 10'000, 0, 0)));
    if (with_chunk) EXPECT_TRUE(run(service().confirm_blob(name, 1)));
    Upload done{.inode = inode,
                .generation = v().stat(inode).content.generation,
                .complete = true,
                .chunk_count = 1,
                .bytes = 4096};
    if (with_chunk)
      done.chunks = {{.index = ChunkIndex(0),
                      .version = done.generation,
                      .bytes = 4096,
                      .blob = name,
                      .offset = 48,
                      .frame_bytes = 99}};
    return run(service().commit_upload(done)).value();
  }
  bool evict(InodeId inode) { return run(service().mark_evicted(inode)).has_value(); }
};
INSTANTIATE_TEST_SUITE_P(Engines, PolicyTest,
                         ::testing::Values(testing::Kind::kMemOwned, testing::Kind::kMemShared,
                                           testing::Kind::kRocksdb),
                         testing::kind_name);

TEST_P(PolicyTest, IsInheritedByWhatIsMadeInAFolder) {
  const InodeId folder = v().mkdir(kRootInode, "folder").inode;
  const InodeId before = v().file(folder, "before").inode;
  const Timestamp ctime = v().stat(folder).ctime;
  ASSERT_EQ(set(folder, {.skip = kFar, .pinned = true}), Code::kOk);
  EXPECT_GT(v().stat(folder).ctime, ctime);
  const Policy both{.skip = kFar, .pinned = true};
  EXPECT_EQ(policy(folder), both);
  EXPECT_EQ(policy(before), Policy());
  EXPECT_EQ(v().file(folder, "f").policy, both);
  const Attr below = v().mkdir(folder, "below");
  EXPECT_EQ(below.policy, both);
  EXPECT_EQ(v().file(below.inode, "g").policy, both);
  EXPECT_EQ(run(service().create_unnamed({}, folder, testing::regular()))->policy, both);
  EXPECT_EQ(v().make(folder, "link", testing::symlink("f")).policy, Policy());
  EXPECT_EQ(v().make(folder, "fifo", {.type = FileType::kFifo, .mode = 0644}).policy, Policy());
  // A new name is not a new file.
  ASSERT_EQ(v().rename(folder, "f", kRootInode, "moved"), Code::kOk);
  EXPECT_EQ(v().lookup(kRootInode, "moved").policy, both);
  ASSERT_EQ(v().rename(folder, "before", folder, "after"), Code::kOk);
  EXPECT_EQ(policy(before), Policy());
}

TEST_P(PolicyTest, EachPartIsSetByItself) {
  const InodeId file = v().file(kRootInode, "f").inode;
  ASSERT_EQ(set(file, {.pinned = true}), Code::kOk);
  ASSERT_EQ(set(file, {.skip = kNear}), Code::kOk);
  EXPECT_EQ(policy(file), (Policy{.skip = kNear, .pinned = true}));
  const Timestamp ctime = v().stat(file).ctime;
  ASSERT_EQ(set(file, {.skip = kNear}), Code::kOk);  // nothing new
  EXPECT_EQ(v().stat(file).ctime, ctime);
  ASSERT_EQ(set(file, {.skip = 0, .pinned = false}), Code::kOk);
  EXPECT_EQ(policy(file), Policy());
}

TEST_P(PolicyTest, IsForTheOwner) {
  const InodeId file = v().file(kRootInode, "f", 0666, user(1000)).inode;
  EXPECT_EQ(set(file, {.pinned = true}, user(1001)), Code::kNotPermitted);
  EXPECT_EQ(set(file, {.pinned = true}, testing::through_kernel(user(1001))), Code::kNotPermitted);
  EXPECT_EQ(set(file, {.pinned = true}, user(1000)), Code::kOk);
  EXPECT_EQ(set(file, {.pinned = false}), Code::kOk);
  EXPECT_EQ(set(v().make(kRootInode, "link", testing::symlink("f")).inode, {.pinned = true}), Code::kNotPermitted);
  v().set(file, {.flags = kFlagImmutable});
  EXPECT_EQ(set(file, {.pinned = true}), Code::kNotPermitted);
}

TEST_P(PolicyTest, APinnedFileStays) {
  const InodeId file = settled_file(kRootInode, "f");
  ASSERT_TRUE(upload(file));
  ASSERT_EQ(set(file, {.pinned = true}), Code::kOk);
  EXPECT_EQ(pending(), 0u);
  EXPECT_FALSE(evict(file));
  EXPECT_EQ(v().usage().pinned_files, 1u);
  EXPECT_EQ(v().usage().pinned_bytes, 8192u);
  ASSERT_EQ(set(file, {.pinned = false}), Code::kOk);
  EXPECT_TRUE(evict(file));
  EXPECT_EQ(v().usage().pinned_files, 0u);
}

TEST_P(PolicyTest, WhatSkipsEveryTierIsNeverPending) {
  skip(kRootInode, kEveryTier);
  const InodeId file = settled_file(kRootInode, "f");
  EXPECT_EQ(pending(), 0u);
  touch(file);
  EXPECT_EQ(pending(), 0u);
  EXPECT_FALSE(evict(file));
  EXPECT_EQ(v().usage().local_files, 1u);
  EXPECT_EQ(v().usage().local_bytes, 8192u);
  skip(file, kNear);
  EXPECT_EQ(pending(), 1u);
  EXPECT_EQ(v().usage().local_files, 0u);
  skip(file, kEveryTier);
  EXPECT_EQ(pending(), 0u);
  ASSERT_EQ(v().unlink(kRootInode, "f"), Code::kOk);
  ASSERT_TRUE(run(service().reclaim(file)));
  EXPECT_EQ(v().usage().local_files, 0u);
}

TEST_P(PolicyTest, WhatTiersHaveOfItGoesWhenItChanges) {
  const InodeId file = settled_file(kRootInode, "f");
  ASSERT_TRUE(upload(file));
  skip(file, kEveryTier);
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(chunks(file), 1u);
  EXPECT_FALSE(evict(file));
  touch(file);
  EXPECT_EQ(pending(), 1u);  // for the uploader to see to it
  EXPECT_FALSE(upload(file, false));
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(chunks(file), 0u);
  EXPECT_EQ(v().stat(file).content.uploaded_size, std::nullopt);
  touch(file);
  EXPECT_EQ(pending(), 0u);
}

TEST_P(PolicyTest, ATierThatIsSkippedNoMoreGetsTheFile) {
  const InodeId file = settled_file(kRootInode, "f");
  skip(file, kFar);
  EXPECT_EQ(pending(), 1u);  // the other lacks it
  const uint64_t generation = v().stat(file).content.generation;
  ASSERT_TRUE(upload(file));
  EXPECT_EQ(pending(), 0u);
  ASSERT_TRUE(evict(file));
  skip(file, 0);
  EXPECT_EQ(pending(), 1u);
  EXPECT_GT(v().stat(file).content.generation, generation);
  EXPECT_TRUE(v().stat(file).content.evicted);
  ASSERT_TRUE(upload(file, false));
  EXPECT_EQ(pending(), 0u);
}

// An upload that began before would say that tiers have the file, of which one has nothing.
TEST_P(PolicyTest, AnUploadOfTheFormerPolicyIsNotTheLast) {
  const InodeId file = settled_file(kRootInode, "f");
  skip(file, kFar);
  const uint64_t generation = v().stat(file).content.generation;
  skip(file, 0);
  EXPECT_FALSE(run(service().commit_upload({.inode = file, .generation = generation, .complete = true})).value());
  EXPECT_EQ(pending(), 1u);
}

TEST_P(PolicyTest, AnEvictedFileKeepsWhatTiersHave) {
  const InodeId file = settled_file(kRootInode, "f");
  ASSERT_TRUE(upload(file));
  ASSERT_TRUE(evict(file));
  skip(file, kFar);
  skip(file, 0);
  ASSERT_EQ(pending(), 1u);
  skip(file, kEveryTier);
  EXPECT_EQ(pending(), 0u);
  EXPECT_EQ(chunks(file), 1u);
  EXPECT_TRUE(v().stat(file).content.evicted);
}

}  // namespace
}  // namespace firn::meta
