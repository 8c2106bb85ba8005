#include "vfs/test_world.h"

#include <fcntl.h>

#include <limits>

#include "io/sim/abandon.h"
#include "tier/metadata/restore.h"
#include "tier/metadata/shipped_engine.h"

namespace firn::vfs {

using io::abandon;

namespace {

io::Task<void> resume(std::shared_ptr<object::testing::LateRequests> late) {
  late->resume();
  co_return;
}

}  // namespace

TestWorld::TestWorld(uint64_t seed, bool holds_in_memory, Tiers tiers)
    : seed_(seed), holds_in_memory_(holds_in_memory), tiers_kind_(tiers), random_(seed) {
  reactor_ = std::make_unique<io::SimReactor>(io::SimOptions{.seed = seed, .shuffle = true});
  pool_ = std::make_unique<io::SimBlockingPool>(*reactor_);
  disk_ = std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = seed});
  engine_ = kv::make_mem_engine(kv::MemOptions{.crashable = true, .yields = true, .inject = nullptr});
  if (tiers != Tiers::kNone) {
    near_ = std::make_unique<Place>(random_, object::testing::Faults{.refused = 0.1, .answer_lost = 0.05});
    far_ = std::make_unique<Place>(random_, object::testing::Faults{});
  }
  CHECK(run(meta::format(*engine_, {.id = "test", .chunk_bytes = kChunkBytes, .inline_max_bytes = kInlineMax}, {}))
            .has_value());
  if (in_bucket()) CHECK(run(format_in_bucket()).has_value());
}

io::Task<Result<void>> TestWorld::format_in_bucket() {
  tier::Writership held = CO_TRY(co_await tier::take_over(bucket(), {.volume = "test"}));
  tier::MetadataShipper shipper(bucket(), std::move(held), {});
  shipper.start(*engine_->shipping(), tier::StartFrom::kDatabase);
  CO_TRY(co_await shipper.ship_through(engine_->last_version()));
  co_return co_await shipper.release(60'000'000'000);
}

io::Task<Result<void>> TestWorld::open_from_bucket() {
  tier::Writership held = CO_TRY(co_await tier::take_over(bucket(), {.volume = "test"}));
  tier::Restored restored = CO_TRY(
      co_await tier::restore_metadata(bucket(), kv::make_mem_restore_target({.yields = true}), {.volume = "test"}));
  shipper_ = std::make_unique<tier::MetadataShipper>(
      bucket(), std::move(held), tier::ShipOptions{.root_log_objects = 20, .first_retry_ns = 1'000'000});
  shipper_->start(*restored.engine->shipping(), tier::StartFrom::kBucket);
  cache_ = std::make_unique<tier::ShippedEngine>(std::move(restored.engine), *shipper_);
  ++hot_id_;
  co_return Result<void>();
}

TestWorld::~TestWorld() {
  if (volume_) (void)unmount();
  everything_arrives();
}

void TestWorld::set_faults(const object::testing::Faults& faults) {
  for (Place* place : {near_.get(), far_.get()}) place->faulty.set_faults(faults);
}

void TestWorld::everything_arrives() {
  for (Place* place : {near_.get(), far_.get()})
    if (place) run(place->late->all_arrive());
}

Result<void> TestWorld::mount() {
  if (in_bucket()) {
    cache_.reset();
    shipper_.reset();
    disk_ = std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = seed_});
    if (Result<void> opened = run(open_from_bucket()); !opened) return opened;
  }
  return run(open());
}

io::Task<Result<void>> TestWorld::open() {
  meta::Session session = CO_TRY(co_await meta::begin_session(engine(), "boot " + std::to_string(boots_)));
  store_ = data::make_hot_store({.disk = *disk_, .root = "/hot", .min_ready = 8, .max_ready = 32, .recent_objects = 4});
  service_ = std::make_unique<meta::LocalService>(
      engine(), meta::Options{.clock = &reactor_->clock(),
                              .inode_cache_entries = 256,  // taken at the start, and left behind by a power cut
                              .dirent_cache_entries = 256,
                              .boot_session = session.number,
                              .hot_id = hot_id_,
                              .tiered = tiers_kind_ != Tiers::kNone,
                              .journals_inline = in_bucket()});
  if (tiers_kind_ != Tiers::kNone) make_tiers();
  volume_ = make_volume({.meta = *service_,
                         .data = *store_,
                         .clock = reactor_->clock(),
                         .pool = *pool_,
                         .inline_max_bytes = kInlineMax,
                         .boot_session = session.number,
                         .clean = session.clean,
                         .read_only = read_only,
                         .memory_min_available_bytes = holds_in_memory_ ? 0 : std::numeric_limits<uint64_t>::max(),
                         .tiers = tiers_.get(),
                         .durable_in_tiers = in_bucket(),
                         .journal_blocks_at_once = static_cast<uint32_t>(seed_ % 4),
                         .journal_blocks = 6});
  if (serving) volume_ = std::make_unique<HeldVolume>(std::move(volume_), *serving);
  co_return co_await volume_->start();
}

void TestWorld::lose_disk() {
  disk_ = std::make_unique<io::SimDisk>(io::SimDiskOptions{.seed = seed_});
  ++hot_id_;
}

void TestWorld::make_tiers() {
  tier::Tiers tiers;
  if (!in_bucket()) tiers.push_back({"near", *near_->store});
  tiers.push_back({"far", *far_->store});
  hydrator_ = std::make_unique<tier::Hydrator>(
      tier::Hydrator::Parts{*service_, *service_, *pool_, tiers},
      tier::HydrateOptions{.chunk_bytes = kChunkBytes, .backings_are_cache = in_bucket()});
  uploader_ =
      std::make_unique<tier::Uploader>(tier::Uploader::Parts{*service_, *service_, *store_, *pool_, random_, tiers},
                                       tier::UploadOptions{.chunk_bytes = kChunkBytes,
                                                           .block_bytes = kBlockBytes,
                                                           .blobs_in_flight = 2,
                                                           .chunks_per_turn = chunks_per_turn,
                                                           .most_replaced_chunks = most_replaced_chunks,
                                                           .only_current = in_bucket()});
  tiers_ = std::make_unique<TierParts>(
      TierParts{in_bucket() ? std::vector<std::string>{"far"} : std::vector<std::string>{"near", "far"},
                *service_,
                *uploader_,
                *hydrator_,
                tier_options,
                {},
                {},
                [this] { return metadata_bytes; }});
}

Handle* TestWorld::create(const std::string& name, const std::string& content) {
  Handle* handle = run(volume_->create(root(), kRootInode, name, {.mode = 0644}, {.flags = O_WRONLY})).value().handle;
  CHECK(run(volume_->write(handle, 0, std::as_bytes(std::span(content)), {})).has_value());
  return handle;
}

void TestWorld::make(const std::string& name, const std::string& content) {
  CHECK(run(volume_->release(create(name, content))).has_value());
}

tier::UploadSummary TestWorld::flush_tiers() { return run(volume_->flush_tiers(nullptr, nullptr)).value(); }

Result<void> TestWorld::unmount() {
  Result<void> stopped = run(volume_->stop());
  volume_.reset();
  hydrator_.reset();
  uploader_.reset();
  service_.reset();
  store_.reset();
  if (stopped) stopped = run(meta::end_session(engine()));
  if (!in_bucket()) return stopped;
  const Result<void> released = run(shipper_->release(600'000'000'000));
  return stopped ? released : stopped;
}

void TestWorld::cut_power() {
  const Timestamp time = reactor_->clock().now();
  // What was running is never resumed: its frames are left behind, as a real power cut would leave them.
  abandon(volume_.release());
  abandon(hydrator_.release());
  abandon(uploader_.release());
  abandon(tiers_.release());
  abandon(service_.release());
  abandon(store_.release());
  abandon(cache_.release());
  abandon(shipper_.release());
  std::unique_ptr<io::SimDisk> after = disk_->crash();
  abandon(disk_.release());
  abandon(reactor_.release());
  abandon(pool_.release());
  ++boots_;
  reactor_ = std::make_unique<io::SimReactor>(io::SimOptions{.seed = seed_ + boots_, .shuffle = true, .start = time});
  pool_ = std::make_unique<io::SimBlockingPool>(*reactor_);
  disk_ = std::move(after);
  if (!in_bucket()) engine_->crash();
  for (Place* place : {near_.get(), far_.get()})
    if (place) run(resume(place->late));
}

}  // namespace firn::vfs
