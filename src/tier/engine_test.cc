// Uploader and hydrator together: simulated time and disk, an engine in memory, stores that misbehave by a seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "data/hot/hot_store.h"
#include "io/block_on.h"
#include "io/sim/sim_blocking_pool.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_reactor.h"
#include "io/test_environment.h"
#include "kv/mem/mem_engine.h"
#include "meta/local_service.h"
#include "meta/volume.h"
#include "object/mem/mem_store.h"
#include "object/testing/faulty_store.h"
#include "object/testing/forwarding_store.h"
#include "object/testing/noise.h"
#include "tier/cold_file.h"
#include "tier/hydrator.h"
#include "tier/uploader.h"

namespace firn::tier {
namespace {

using io::Task;
using object::Kind;
using object::testing::Faults;
using object::testing::FaultyStore;
using object::testing::ForwardingStore;
using object::testing::noise;

constexpr uint64_t kChunkBytes = 4096;

// One colder tier: what is really there, what misbehaves in front of it, and what retries in front of that.
struct Place {
  Place(Random& random, Faults faults)
      : mem(std::make_shared<object::MemStore>()),
        faulty(mem, faults, random),
        store(object::retrying(std::make_unique<ForwardingStore>(faulty), {.max_attempts = 40}, random)) {}
  std::shared_ptr<object::MemStore> mem;
  FaultyStore faulty;
  std::unique_ptr<object::ObjectStore> store;
};

// What two tiers have wrong at once, nobody has right.
Faults without_corruption(Faults faults) {
  faults.corrupted = 0;
  return faults;
}

class World {
 public:
  explicit World(uint64_t seed, Faults faults = {}, std::optional<Key> key = std::nullopt)
      : random(seed),
        reactor_({.seed = seed, .shuffle = true}),
        disk_({.seed = seed}),
        near(random, faults),
        far(random, without_corruption(faults)) {
    CHECK(run(meta::format(*engine_, {.id = "test"}, {})).has_value());
    data_ = data::make_hot_store({.disk = disk_, .root = "/hot", .min_ready = 4, .max_ready = 16, .recent_objects = 4});
    meta_ = std::make_unique<meta::LocalService>(
        *engine_, meta::Options{.clock = &reactor_.clock(), .boot_session = 1, .tiered = true});
    CHECK(run(data_->start([](BackingId) { return true; })).has_value());
    const Tiers tiers = {{"near", *near.store}, {"far", *far.store}};
    uploader = std::make_unique<Uploader>(
        Uploader::Parts{*meta_, *meta_, *data_, pool_, random, tiers},
        UploadOptions{.chunk_bytes = kChunkBytes, .block_bytes = 1024, .key = key, .blobs_in_flight = 2});
    hydrator = std::make_unique<Hydrator>(
        Hydrator::Parts{*meta_, *meta_, pool_, tiers},
        HydrateOptions{
            .chunk_bytes = kChunkBytes,
            .key = key,
            .on_damage = [this](const std::string& tier, InodeId, ChunkIndex, const Status&) { ++damaged[tier]; }});
  }
  ~World() { run(data_->stop()); }

  template <class T>
  T run(Task<T> task) {
    return io::run_to_end(reactor_, std::move(task));
  }

  // Makes the file, or replaces its content, as a last close would.
  void write(const std::string& name, const std::string& content) { run(do_write(name, content)); }
  UploadSummary upload() { return run(uploader->pass(nullptr)).value(); }
  Result<void> evict(const std::string& name) { return run(do_evict(name)); }
  Result<void> restore(const std::string& name) { return run(do_restore(name)); }
  std::string read(const std::string& name) { return run(do_read(name)); }
  uint64_t allocated(const std::string& name) {
    return run(data_->stat(stat(name).content.backing)).value().allocated_bytes;
  }
  meta::Attr stat(const std::string& name) { return run(meta_->lookup({}, kRootInode, name)).value(); }
  size_t pending() { return run(meta_->list_pending(InodeId(), 1000)).value().size(); }
  meta::LocalService& meta() { return *meta_; }

 private:
  Task<void> do_write(std::string name, std::string content) {
    const auto created =
        co_await meta_->create({}, kRootInode, name, {.type = meta::FileType::kRegular, .mode = 0644}, false);
    CO_REQUIRE(created);
    data::ObjectRef object;
    if (created->attr.content.backing) {
      object = (co_await data_->open(created->attr.content.backing)).value();
    } else {
      object = (co_await data_->lend(true)).value();
    }
    CO_REQUIRE(co_await object->file().truncate(0));
    CO_REQUIRE(co_await object->file().write(0, std::as_bytes(std::span(content))));
    CO_REQUIRE(co_await data_->settle(object));
    meta::ContentUpdate update;
    update.size = content.size();
    update.content = created->attr.content;
    update.content->backing = object->id();
    update.content->settled = true;
    update.mtime = reactor_.clock().now();
    CO_REQUIRE(co_await meta_->update_content(created->attr.inode, update));
  }
  Task<Result<data::ObjectRef>> open(std::string name, InodeId* inode) {
    const meta::Attr attr = CO_TRY(co_await meta_->lookup({}, kRootInode, name));
    *inode = attr.inode;
    co_return co_await data_->open(attr.content.backing);
  }
  Task<Result<void>> do_evict(std::string name) {
    InodeId inode;
    const data::ObjectRef object = CO_TRY(co_await open(name, &inode));
    co_return co_await hydrator->evict(inode, *object);
  }
  Task<Result<void>> do_restore(std::string name) {
    InodeId inode;
    const data::ObjectRef object = CO_TRY(co_await open(name, &inode));
    const uint64_t bytes = (co_await meta_->getattr(inode))->size;
    ColdFile cold(*hydrator, inode, bytes, object, {.chunk_bytes = kChunkBytes});
    Result<void> restored = co_await cold.make_resident(nullptr);
    co_await cold.close();
    co_return restored;
  }
  Task<std::string> do_read(std::string name) {
    InodeId inode;
    const data::ObjectRef object = (co_await open(name, &inode)).value();
    std::string content((co_await meta_->getattr(inode))->size, '?');
    content.resize((co_await object->file().read(0, std::as_writable_bytes(std::span(content)))).value_or(0));
    co_return content;
  }

 public:
  SeededRandom random;
  std::map<std::string, int> damaged;

 private:
  io::SimReactor reactor_;
  io::SimBlockingPool pool_{reactor_};
  io::SimDisk disk_;
  std::unique_ptr<kv::Engine> engine_ = kv::make_mem_engine({.yields = true});
  std::unique_ptr<data::Store> data_;
  std::unique_ptr<meta::LocalService> meta_;

 public:
  Place near, far;
  std::unique_ptr<Uploader> uploader;
  std::unique_ptr<Hydrator> hydrator;
};

// What colder tiers have is the file's content.
void expect_to_come_back(World& world, const std::string& name, const std::string& content) {
  ASSERT_TRUE(world.evict(name)) << name;
  ASSERT_TRUE(world.restore(name)) << name;
  EXPECT_TRUE(world.read(name) == content) << name;
}

TEST(TierEngine, UploadsEvictsAndRestores) {
  World world(1);
  const std::string content = noise(10 * kChunkBytes + 77, 1);
  world.write("f", content);
  EXPECT_EQ(world.evict("f").error(), Code::kBusy);  // nobody else has it yet
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(done.chunks, 11u);
  EXPECT_EQ(done.blobs, 1u);
  EXPECT_EQ(world.pending(), 0u);
  EXPECT_EQ(world.near.mem->sizes().size(), 1u);
  EXPECT_EQ(world.near.mem->sizes(), world.far.mem->sizes());
  ASSERT_TRUE(world.evict("f"));
  EXPECT_EQ(world.allocated("f"), 0u);
  EXPECT_EQ(world.read("f"), std::string(content.size(), '\0'));
  EXPECT_TRUE(world.stat("f").content.evicted);
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
  EXPECT_FALSE(world.stat("f").content.evicted);
  EXPECT_EQ(world.far.faulty.requests(Kind::kGet), 0u);  // the nearer one had it
  EXPECT_EQ(world.upload().files, 0u);                   // and nothing has changed by it
}

TEST(TierEngine, PacksManyFilesIntoOneBlob) {
  World world(2);
  for (int i = 0; i < 300; ++i) world.write("f" + std::to_string(i), noise(5000, static_cast<uint64_t>(i)));
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.files, 300u);
  EXPECT_EQ(done.blobs, 1u);
  EXPECT_EQ(world.near.faulty.requests(Kind::kPut), 1u);
  EXPECT_EQ(world.far.faulty.requests(Kind::kPut), 1u);
}

TEST(TierEngine, SendsOnlyWhatChanged) {
  World world(3);
  std::string content = noise(20 * kChunkBytes, 3);
  world.write("f", content);
  world.upload();
  content[7 * kChunkBytes + 5] ^= 1;
  content += "a little more";
  world.write("f", content);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.chunks, 2u);
  EXPECT_EQ(done.unchanged, 19u);
  expect_to_come_back(world, "f", content);
  world.write("f", content.substr(0, 100));  // shorter
  EXPECT_EQ(world.upload().files, 1u);
  expect_to_come_back(world, "f", content.substr(0, 100));
}

TEST(TierEngine, ATierThatIsDownKeepsFilesPending) {
  World world(4);
  world.write("f", noise(3 * kChunkBytes, 4));
  world.far.faulty.set_down(true);
  const UploadSummary failed = world.upload();
  EXPECT_EQ(failed.files, 0u);
  EXPECT_EQ(failed.failed, 1u);
  EXPECT_EQ(failed.first_failure, Code::kUnavailable);
  EXPECT_NE(failed.first_failure.message().find("far"), std::string::npos) << failed.first_failure.message();
  EXPECT_EQ(world.pending(), 1u);
  EXPECT_EQ(world.evict("f").error(), Code::kBusy);
  world.far.faulty.set_down(false);
  EXPECT_EQ(world.upload().files, 1u);
  EXPECT_EQ(world.pending(), 0u);
}

TEST(TierEngine, ATierThatWasAwayGetsWhatItMissedFromTheOther) {
  World world(41);
  const std::string content = noise(3 * kChunkBytes, 41);
  world.write("f", content);
  world.far.faulty.set_down(true);
  world.upload();
  const uint64_t puts = world.near.faulty.requests(Kind::kPut);
  for (int again = 0; again < 5; ++again) world.upload();
  EXPECT_EQ(world.near.faulty.requests(Kind::kPut), puts);  // nothing is sent twice
  world.far.faulty.set_down(false);
  const UploadSummary done = world.upload();
  EXPECT_EQ(done.copied_blobs, 1u);
  EXPECT_EQ(done.chunks, 0u);
  EXPECT_EQ(done.files, 1u);
  EXPECT_EQ(world.near.mem->sizes(), world.far.mem->sizes());
  world.near.faulty.set_down(true);
  expect_to_come_back(world, "f", content);
}

TEST(TierEngine, DamageInOneTierIsReadFromTheNext) {
  World world(5);
  const std::string content = noise(6 * kChunkBytes, 5);
  world.write("f", content);
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  const std::string key = world.near.mem->sizes().begin()->first;
  const uint64_t bytes = world.near.mem->sizes().begin()->second;
  world.near.mem->overwrite(key, noise(bytes, 99));
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
  EXPECT_EQ(world.damaged["near"], 6);
  EXPECT_EQ(world.damaged["far"], 0);
}

TEST(TierEngine, DamageEverywhereIsReportedAndNothingIsMadeUp) {
  World world(6);
  world.write("f", noise(3 * kChunkBytes, 6));
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  for (Place* place : {&world.near, &world.far}) place->mem->overwrite(place->mem->sizes().begin()->first, "rubbish");
  const auto restored = world.restore("f");
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error(), Code::kCorrupt);
  EXPECT_TRUE(world.stat("f").content.evicted);
}

TEST(TierEngine, ATierThatDoesNotAnswerIsNotDamage) {
  World world(7);
  const std::string content = noise(3 * kChunkBytes, 7);
  world.write("f", content);
  world.upload();
  ASSERT_TRUE(world.evict("f"));
  world.near.faulty.set_down(true);
  world.far.faulty.set_down(true);
  const auto restored = world.restore("f");
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error(), Code::kUnavailable);
  EXPECT_TRUE(world.damaged.empty());
  world.far.faulty.set_down(false);
  ASSERT_TRUE(world.restore("f"));
  EXPECT_TRUE(world.read("f") == content);
}

TEST(TierEngine, SealedBlobsShowNothing) {
  Key key{};
  key[3] = std::byte{7};
  World world(8, {}, key);
  const std::string content = "very secret " + std::string(kChunkBytes, 's');
  world.write("f", content);
  world.upload();
  expect_to_come_back(world, "f", content);
}

// Whatever the stores do: nothing is lost, nothing comes back different, and in the end all is uploaded.
void live_through(uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  World world(
      seed,
      {.refused = 0.15, .answer_lost = 0.1, .corrupted = 0.05, .truncated = 0.1, .max_latency_ns = 2'000'000'000});
  SeededRandom choose(seed * 31);
  std::map<std::string, std::string> expected;
  for (int step = 0; step < 40; ++step) {
    const std::string name = "f" + std::to_string(choose.below(6));
    const uint64_t what = choose.below(10);
    if (what < 4) {
      if (expected.contains(name) && world.stat(name).content.evicted) ASSERT_TRUE(world.restore(name));
      expected[name] = noise(choose.below(6 * kChunkBytes), choose.next());
      world.write(name, expected[name]);
    } else if (what < 6) {
      if (choose.below(3) == 0) world.far.faulty.set_down(true);
      world.upload();
      world.far.faulty.set_down(false);
    } else if (expected.contains(name) && what < 8) {
      (void)world.evict(name);  // refused where it must be
    } else if (expected.contains(name) && world.stat(name).content.evicted) {
      const auto restored = world.restore(name);
      ASSERT_TRUE(restored) << restored.error().to_string();
      ASSERT_TRUE(world.read(name) == expected[name]);
    }
  }
  for (int attempt = 0; attempt < 10 && world.pending() > 0; ++attempt) world.upload();
  EXPECT_EQ(world.pending(), 0u);
  for (const auto& [name, content] : expected) {
    if (!world.stat(name).content.evicted) ASSERT_TRUE(world.evict(name)) << name;
    ASSERT_TRUE(world.restore(name)) << name;
    EXPECT_TRUE(world.read(name) == content) << name;
  }
}

TEST(TierEngine, LivesThroughBadStores) {
  const char* given = std::getenv("FIRN_SEEDS");
  const uint64_t seeds = given ? std::strtoull(given, nullptr, 10) : 100;
  for (uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFatalFailure(); ++seed) live_through(seed);
}

}  // namespace
}  // namespace firn::tier
