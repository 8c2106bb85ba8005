// fsck on volumes with colder tiers: each record that can be wrong, and what a repair makes of it.
#include "meta/keys.h"
#include "meta/records.h"
#include "meta/tiering_records.h"
#include "object/testing/noise.h"
#include "tier/test_world.h"
#include "vfs/fsck/fsck.h"

namespace firn::vfs {
namespace {

using object::testing::noise;
using tier::testing::World;

constexpr uint64_t kChunkBytes = 4096;

class FsckTiers : public ::testing::Test {
 protected:
  FsckTiers() {
    world.write("f", content);
    world.write("g", noise(2 * kChunkBytes, 2));
    world.upload();
  }

  FsckReport fsck(FsckOptions options = {}) {
    return world.run(vfs::fsck(*world.engine, *world.data, options)).value();
  }
  // Exactly one problem, which a repair does (not) mend, and says so.
  void expect_one(const std::string& part, bool repairable) {
    const FsckReport found = fsck();
    ASSERT_EQ(found.problems.size(), 1u) << (found.problems.empty() ? "" : found.problems[1].what);
    EXPECT_NE(found.problems[0].what.find(part), std::string::npos) << found.problems[0].what;
    EXPECT_EQ(found.problems[0].repairable, repairable);
    EXPECT_FALSE(found.problems[0].repaired);
    const FsckReport repaired = fsck({.repair = true});
    EXPECT_EQ(repaired.all_repaired(), repairable);
    const FsckReport after = fsck();
    EXPECT_EQ(after.clean(), repairable);
    for (const FsckProblem& problem : after.problems) EXPECT_FALSE(repairable) << problem.path << " " << problem.what;
  }
  // After a repair: the volume goes on, and in the end colder tiers have everything.
  void expect_all_uploaded(uint64_t sent_chunks) {
    world.restart(false);
    EXPECT_EQ(world.upload().chunks, sent_chunks);
    EXPECT_EQ(world.pending(), 0u);
    EXPECT_TRUE(fsck().clean());
    world.expect_to_come_back("f", content);
    EXPECT_TRUE(fsck().clean());
  }

  void put(std::string_view key, std::string_view value) { change(key, std::string(value)); }
  void erase(std::string_view key) { change(key, std::nullopt); }
  void change(std::string_view key, std::optional<std::string> value) {
    const auto apply = [](World* w, std::string k, std::optional<std::string> v) -> io::Task<Result<void>> {
      const auto transaction = w->engine->begin();
      if (v) {
        transaction->put(k, *v);
      } else {
        transaction->erase(k);
      }
      CO_TRY(co_await transaction->commit());
      co_return Result<void>();
    };
    ASSERT_TRUE(world.run(apply(&world, std::string(key), std::move(value))));
  }
  template <class Change>
  void change_inode(const std::string& name, Change how) {
    const InodeId id = world.stat(name).inode;
    const auto load = [](World* w, InodeId inode) -> io::Task<std::string> {
      const auto transaction = w->engine->begin();
      const meta::Key key = meta::inode_key(inode);
      co_return (co_await transaction->get(key)).value().value();
    };
    meta::Inode inode = meta::decode_inode(id, world.run(load(&world, id))).value();
    how(inode.attr);
    put(meta::inode_key(id), meta::encode_inode(inode));
  }
  InodeId inode(const std::string& name) { return world.stat(name).inode; }
  meta::Chunk chunk(uint64_t index) { return world.chunks("f")[index]; }
  void put_chunk(const meta::Chunk& one) { put(meta::chunk_key(inode("f"), one.index), meta::encode_chunk(one)); }

  const std::string content = noise(5 * kChunkBytes + 10, 1);
  World world{{.seed = 1}};
};

TEST_F(FsckTiers, FindsNothingWrongWithWhatIsRight) {
  const FsckReport report = fsck();
  for (const FsckProblem& problem : report.problems) ADD_FAILURE() << problem.path << " " << problem.what;
  EXPECT_EQ(report.blobs, 1u);
  EXPECT_EQ(report.chunks, 8u);
  EXPECT_EQ(report.pending, 0u);
  ASSERT_TRUE(world.evict("f"));
  world.write("g", noise(3 * kChunkBytes, 3));
  const FsckReport later = fsck();
  EXPECT_TRUE(later.clean());
  EXPECT_EQ(later.evicted, 1u);
  EXPECT_EQ(later.pending, 1u);
}

TEST_F(FsckTiers, RecordsOfTheIndexOfContents) {
  const auto key = [](char filler) { return meta::content_key(std::string(meta::kContentHashBytes, filler)).str(); };
  meta::Chunk frame = chunk(0);
  frame.origin = meta::origin_of(inode("f"), frame);
  frame.version = 0;
  put(key('a'), meta::encode_content(frame));
  EXPECT_TRUE(fsck().clean());
  frame.blob = std::string(meta::kBlobNameBytes, 'x');
  put(key('b'), meta::encode_content(frame));
  EXPECT_TRUE(fsck().clean());  // its blob is gone: nobody follows it
  put(key('c'), "rubbish");
  expect_one("index of contents is malformed", true);
  frame = chunk(0);
  frame.origin = meta::origin_of(inode("f"), frame);
  frame.version = 0;
  frame.offset = 64 << 20;
  put(key('d'), meta::encode_content(frame));
  expect_one("beyond the end of blob", true);
}

TEST_F(FsckTiers, ACounterThatIsWrong) {
  const std::string key = meta::blob_live_key(chunk(0).blob).str();
  put(key, meta::encode_counter(5));
  expect_one("counts 5 bytes", true);
  put(key, meta::encode_counter(1 << 30));
  expect_one("counts 1073741824 bytes", true);
  put(key, "odd");
  EXPECT_FALSE(fsck({.repair = true}).clean());
  EXPECT_TRUE(fsck().clean());
}

TEST_F(FsckTiers, ACounterOfNoBlob) {
  put(meta::blob_live_key(std::string(16, 'x')), meta::encode_counter(7));
  expect_one("which is not on record", true);
}

TEST_F(FsckTiers, RecordsOfInodesThatDoNotExist) {
  put(meta::pending_key(InodeId(4711)), meta::encode_pending({InodeId(4711), 1, {1, 0}}));
  expect_one("is no file", true);
  const uint64_t live = world.blobs()[0].live_bytes;
  meta::Chunk stray = chunk(0);
  put(meta::chunk_key(InodeId(4711), ChunkIndex()), meta::encode_chunk(stray));
  put(meta::blob_live_key(stray.blob), meta::encode_counter(live + stray.frame_bytes));
  expect_one("is no file", true);
  EXPECT_EQ(world.blobs()[0].live_bytes, live);  // the counter went with it
}

TEST_F(FsckTiers, AChunkBeyondTheEnd) {
  meta::Chunk beyond = chunk(0);
  beyond.index = ChunkIndex(6);
  put_chunk(beyond);
  put(meta::blob_live_key(beyond.blob), meta::encode_counter(world.blobs()[0].live_bytes + beyond.frame_bytes));
  expect_one("beyond its end", true);
  expect_all_uploaded(0);
}

TEST_F(FsckTiers, AChunkThatIsMissingIsUploadedAgain) {
  const meta::Chunk missing = chunk(2);
  erase(meta::chunk_key(inode("f"), missing.index));
  put(meta::blob_live_key(missing.blob), meta::encode_counter(world.blobs()[0].live_bytes - missing.frame_bytes));
  expect_one("5 of its 6 chunks", true);
  EXPECT_EQ(fsck().pending, 1u);
  expect_all_uploaded(1);
}

TEST_F(FsckTiers, AChunkOfAnEvictedFileThatIsMissingIsReported) {
  ASSERT_TRUE(world.evict("f"));
  const meta::Chunk missing = chunk(2);
  erase(meta::chunk_key(inode("f"), missing.index));
  put(meta::blob_live_key(missing.blob), meta::encode_counter(world.blobs()[0].live_bytes - missing.frame_bytes));
  expect_one("5 of its 6 chunks", false);
}

TEST_F(FsckTiers, AChunkRecordThatCannotBeRead) {
  put(meta::chunk_key(inode("f"), ChunkIndex(1)), "rubbish");
  EXPECT_EQ(fsck().problems.size(), 2u);  // and the counter of its blob
  EXPECT_TRUE(fsck({.repair = true}).all_repaired());
  EXPECT_TRUE(fsck().clean());
  expect_all_uploaded(1);
}

TEST_F(FsckTiers, ChunksThatDoNotFit) {
  const uint64_t live = world.blobs()[0].live_bytes;
  const auto replace = [&](auto how) {
    meta::Chunk wrong = chunk(3);
    how(wrong);
    put_chunk(wrong);
    return wrong;
  };
  replace([](meta::Chunk& one) { one.bytes = 17; });
  expect_one("has 17 bytes", true);
  expect_all_uploaded(1);
  replace([](meta::Chunk& one) { one.offset = 1 << 20; });
  expect_one("beyond the end of blob", true);
  expect_all_uploaded(1);
  const meta::Chunk before = chunk(3);
  replace([](meta::Chunk& one) { one.blob = std::string(16, 'x'); });
  EXPECT_EQ(fsck().problems.size(), 2u);  // and the counter of the blob where it was
  EXPECT_TRUE(fsck({.repair = true}).all_repaired());
  expect_all_uploaded(1);
  EXPECT_GT(live, 0u);
  EXPECT_FALSE(chunk(3) == before);
}

TEST_F(FsckTiers, AFileThatIsOnTheWrongList) {
  put(meta::pending_key(inode("f")), meta::encode_pending({inode("f"), 2, {1, 0}}));
  expect_one("although colder tiers have all of it", true);
  world.write("g", noise(kChunkBytes, 9));
  erase(meta::pending_key(inode("g")));
  expect_one("is not on the list of what to upload", true);
  EXPECT_EQ(world.pending(), 1u);
  put(meta::pending_key(inode("g")), "rubbish");
  expect_one("malformed pending record", true);
  expect_all_uploaded(1);
}

TEST_F(FsckTiers, GenerationsThatContradictEachOther) {
  change_inode("f", [](meta::Attr& attr) { attr.content.uploaded_generation = attr.content.generation + 5; });
  expect_one("more of it was uploaded", true);
  expect_all_uploaded(0);
}

TEST_F(FsckTiers, AnEvictedFileThatWasNotUploaded) {
  world.write("g", noise(kChunkBytes, 9));
  change_inode("g", [](meta::Attr& attr) { attr.content.evicted = true; });
  expect_one("colder tiers only", false);
}

TEST_F(FsckTiers, AnEvictedFileNeedsNoBacking) {
  ASSERT_TRUE(world.evict("f"));
  ASSERT_TRUE(world.run(world.data->remove(world.stat("f").content.backing)));
  EXPECT_TRUE(fsck().clean());
}

TEST_F(FsckTiers, ABlobThatCannotBeReadOrThatNobodyHas) {
  const std::string name = chunk(0).blob;
  meta::Blob blob = world.blobs()[0];
  blob.tiers = 0;
  put(meta::blob_key(name), meta::encode_blob(blob));
  expect_one("no tier ever had it", false);
  put(meta::blob_key(name), "rubbish");
  EXPECT_FALSE(fsck().clean());
}

TEST_F(FsckTiers, ARetiredBlobWithoutReferencesIsNoProblem) {
  world.write("f", noise(kChunkBytes, 7));
  world.remove("g");
  world.upload();
  size_t retired = 0;
  for (const meta::Blob& blob : world.blobs())
    if (blob.live_bytes == 0) retired += world.run(world.meta->retire_blob(blob.name)).value();
  EXPECT_EQ(retired, 1u);
  EXPECT_TRUE(fsck().clean());
}

class FsckDeep : public FsckTiers {
 protected:
  FsckReport deep(bool repair = false) {
    const DeepCheck check{.tiers = world.tiers(), .key = {}, .pool = *world.pool};
    return fsck({.repair = repair, .deep = &check});
  }
  std::string key() { return *world.objects().begin(); }
};

TEST_F(FsckDeep, ReadsEverythingThatTiersHave) {
  const FsckReport report = deep();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.deep_objects, 2u);
  EXPECT_EQ(report.deep_frames, 16u);
  EXPECT_GT(report.deep_bytes, 2 * content.size());
}

TEST_F(FsckDeep, FindsAndMendsDamageInOneTier) {
  world.flip(*world.far, key(), chunk(2).offset + 100);
  EXPECT_TRUE(fsck().clean());  // records alone do not tell
  const FsckReport found = deep();
  ASSERT_EQ(found.problems.size(), 1u);
  EXPECT_EQ(found.problems[0].path, "/f");
  EXPECT_NE(found.problems[0].what.find("tier far"), std::string::npos) << found.problems[0].what;
  EXPECT_NE(found.problems[0].what.find("chunk 2"), std::string::npos) << found.problems[0].what;
  EXPECT_TRUE(found.problems[0].repairable);
  EXPECT_TRUE(deep(true).all_repaired());
  EXPECT_TRUE(deep().clean());
  EXPECT_EQ(world.near->mem->sizes(), world.far->mem->sizes());
}

TEST_F(FsckDeep, WhatIsNowhereIsNotRepaired) {
  ASSERT_TRUE(world.evict("f"));
  world.flip(*world.near, key(), chunk(2).offset + 100);
  world.flip(*world.far, key(), chunk(2).offset + 200);
  const FsckReport found = deep(true);
  EXPECT_FALSE(found.clean());
  EXPECT_FALSE(found.all_repaired());
  const FsckReport after = deep();
  EXPECT_FALSE(after.clean());
  for (const FsckProblem& problem : after.problems) EXPECT_EQ(problem.path, "/f") << problem.what;
}

TEST_F(FsckDeep, ATierThatDoesNotAnswerFailsIt) {
  world.near->faulty.set_down(true);
  const DeepCheck check{.tiers = world.tiers(), .key = {}, .pool = *world.pool};
  const auto report = world.run(vfs::fsck(*world.engine, *world.data, {.deep = &check}));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error(), Code::kUnavailable);
}

TEST_F(FsckTiers, FilesThatAreKeptOutOfTiersAreRight) {
  const auto set = [this](const char* name, uint32_t skipped) {
    ASSERT_TRUE(world.run(world.meta->set_policy({}, inode(name), {.skip = skipped, .pinned = true})));
  };
  world.write("local", noise(kChunkBytes, 3));
  world.write("near", noise(kChunkBytes, 4));
  set("local", meta::kEveryTier);
  set("near", 2);
  set("g", meta::kEveryTier);
  EXPECT_TRUE(fsck().clean());
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  const auto expect_clean = [this] {
    const DeepCheck deep{.tiers = world.tiers(), .key = std::nullopt, .pool = *world.pool};
    for (const FsckProblem& problem : fsck({.deep = &deep}).problems) ADD_FAILURE() << problem.what;
  };
  expect_clean();
  // Waiting because of another policy, where all the content is in tiers.
  ASSERT_TRUE(world.run(world.meta->set_policy({}, inode("f"), {.skip = 1})));
  ASSERT_TRUE(world.run(world.meta->set_policy({}, inode("f"), {.skip = 0})));
  EXPECT_EQ(world.pending(), 1u);
  expect_clean();
  set("f", meta::kEveryTier);
  expect_clean();
  world.write("g", noise(kChunkBytes, 5));
  expect_clean();
  world.upload();
  expect_clean();
}

TEST_F(FsckTiers, CountsOfWhatIsKeptAreMended) {
  ASSERT_TRUE(world.run(world.meta->set_policy({}, inode("g"), {.skip = meta::kEveryTier, .pinned = true})));
  change_inode("g", [](meta::Attr& attr) { attr.policy.pinned = false; });
  const FsckReport found = fsck({.repair = true});
  EXPECT_EQ(found.problems.size(), 1u);
  EXPECT_TRUE(found.all_repaired());
  EXPECT_TRUE(fsck().clean());
}

}  // namespace
}  // namespace firn::vfs
