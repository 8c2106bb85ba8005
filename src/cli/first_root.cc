#include "cli/first_root.h"

#include "cli/stores.h"
#include "io/block_on.h"
#include "io/uring/reactor_pool.h"
#include "kv/rocksdb/rocksdb_engine.h"
#include "tier/metadata/shipper.h"

namespace firn::cli {
namespace {

constexpr int64_t kReleaseNs = 60'000'000'000;

io::Task<Result<void>> ship_all(kv::Engine& engine, tier::Bucket bucket, std::string volume) {
  tier::Bytes16 database{};
  bucket.random.fill(std::as_writable_bytes(std::span(database)));
  tier::Writership held = CO_TRY(co_await tier::take_over(bucket, {.volume = std::move(volume), .database = database}));
  tier::MetadataShipper shipper(bucket, std::move(held),
                                {.asks_after = tier::AskAfter::kFirst, .database = database, .keep_lease = false});
  shipper.start(*engine.shipping(), tier::StartFrom::kDatabase);
  const Result<void> shipped = co_await shipper.ship_through(engine.last_version());
  if (!shipped) co_await shipper.close();
  CO_TRY(shipped);
  co_return co_await shipper.release(kReleaseNs);
}

}  // namespace

Result<void> put_first_root(const NewVolume& volume, const std::optional<tier::Key>& key) {
  const auto pool = io::make_thread_pool(2);
  const auto reactors = TRY(io::ReactorPool::create({.reactors = 1}));
  const auto stores = TRY(Stores::open(volume.settings.tiers, volume.settings.s3, volume.record, {.pool = *pool}));
  const auto engine = TRY(kv::open_rocksdb({.path = volume.paths.meta(), .blocking_pool = pool.get()}));
  const tier::Bucket bucket{.store = stores->tiers().back().store,
                            .pool = *pool,
                            .random = system_random(),
                            .key = key,
                            .codec = codec_of(volume.settings.tiers)};
  Result<void> done = io::block_on(*reactors, ship_all(*engine, bucket, volume.record.id));
  const Result<void> closed = io::block_on(*reactors, engine->close());
  io::block_on(*reactors, stores->close());
  reactors->stop();
  return done ? closed : done;
}

}  // namespace firn::cli
