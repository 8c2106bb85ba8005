#include "vfs/test_world.h"

#include <limits>

#include "io/sim/abandon.h"

namespace firn::vfs {

using io::abandon;

TestWorld::TestWorld(uint64_t seed, bool holds_in_memory, bool tiered)
    : seed_(seed), holds_in_memory_(holds_in_memory), tiered_(tiered), random_(seed) {
  reactor_ = std::make_unique<io::SimReactor>(io::SimOptions{.seed = seed, .shuffle = true});
  pool_ = std::make_unique<io::SimBlockingPool>(*reactor_);
  disk_ = std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = seed});
  engine_ = kv::make_mem_engine(kv::MemOptions{.crashable = true, .yields = true, .inject = nullptr});
  if (tiered) {
    near_ = std::make_unique<Place>(random_, object::testing::Faults{.refused = 0.1, .answer_lost = 0.05});
    far_ = std::make_unique<Place>(random_, object::testing::Faults{});
  }
  CHECK(run(meta::format(*engine_, {.id = "test", .chunk_bytes = kChunkBytes, .inline_max_bytes = kInlineMax}, {}))
            .has_value());
}

TestWorld::~TestWorld() {
  if (volume_) (void)unmount();
}

Result<void> TestWorld::mount() { return run(open()); }

io::Task<Result<void>> TestWorld::open() {
  meta::Session session = CO_TRY(co_await meta::begin_session(*engine_, "boot " + std::to_string(boots_)));
  store_ = data::make_hot_store({.disk = *disk_, .root = "/hot", .min_ready = 8, .max_ready = 32, .recent_objects = 4});
  service_ = std::make_unique<meta::LocalService>(
      *engine_, meta::Options{.clock = &reactor_->clock(),
                              .inode_cache_entries = 256,  // taken at the start, and left behind by a power cut
                              .dirent_cache_entries = 256,
                              .boot_session = session.number,
                              .hot_id = hot_id_,
                              .tiered = tiered_});
  if (tiered_) make_tiers();
  volume_ = make_volume({.meta = *service_,
                         .data = *store_,
                         .clock = reactor_->clock(),
                         .pool = *pool_,
                         .inline_max_bytes = kInlineMax,
                         .boot_session = session.number,
                         .clean = session.clean,
                         .memory_min_available_bytes = holds_in_memory_ ? 0 : std::numeric_limits<uint64_t>::max(),
                         .tiers = tiers_.get()});
  co_return co_await volume_->start();
}

void TestWorld::lose_disk() {
  disk_ = std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = seed_});
  ++hot_id_;
}

void TestWorld::make_tiers() {
  const tier::Tiers tiers = {{"near", *near_->store}, {"far", *far_->store}};
  uploader_ = std::make_unique<tier::Uploader>(
      tier::Uploader::Parts{*service_, *service_, *store_, *pool_, random_, tiers},
      tier::UploadOptions{.chunk_bytes = kChunkBytes, .block_bytes = kBlockBytes, .blobs_in_flight = 2});
  hydrator_ = std::make_unique<tier::Hydrator>(tier::Hydrator::Parts{*service_, *service_, *pool_, tiers},
                                               tier::HydrateOptions{.chunk_bytes = kChunkBytes});
  tiers_ = std::make_unique<TierParts>(
      TierParts{{"near", "far"},
                *service_,
                *uploader_,
                *hydrator_,
                {.chunk_bytes = kChunkBytes, .block_bytes = kBlockBytes, .readahead_bytes = 4 * kChunkBytes},
                {}});
}

Result<void> TestWorld::unmount() {
  Result<void> stopped = run(volume_->stop());
  volume_.reset();
  hydrator_.reset();
  uploader_.reset();
  service_.reset();
  store_.reset();
  if (stopped) stopped = run(meta::end_session(*engine_));
  return stopped;
}

void TestWorld::cut_power() {
  // What was running is never resumed: its frames are left behind, as a real power cut would leave them.
  abandon(volume_.release());
  abandon(hydrator_.release());
  abandon(uploader_.release());
  abandon(tiers_.release());
  abandon(service_.release());
  abandon(store_.release());
  std::unique_ptr<io::SimDisk> after = disk_->crash();
  abandon(disk_.release());
  abandon(reactor_.release());
  abandon(pool_.release());
  ++boots_;
  reactor_ = std::make_unique<io::SimReactor>(io::SimOptions{.seed = seed_ + boots_, .shuffle = true});
  pool_ = std::make_unique<io::SimBlockingPool>(*reactor_);
  disk_ = std::move(after);
  engine_->crash();
}

}  // namespace firn::vfs
