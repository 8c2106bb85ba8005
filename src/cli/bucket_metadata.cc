#include "cli/bucket_metadata.h"

#include <fmt/format.h>

#include "cli/files.h"
#include "cli/secret.h"
#include "cli/volume_object.h"
#include "io/block_on.h"
#include "kv/rocksdb/rocksdb_engine.h"

namespace firn::cli {
namespace {

std::unique_ptr<kv::RestoreTarget> target_of(const BucketMetadata::Where& where) {
  (void)remove_all(where.target.meta());  // what stays makes the restore fail
  return kv::make_rocksdb_restore_target(
      {.path = where.target.meta(), .create = true, .logged = false, .blocking_pool = &where.pool});
}

}  // namespace

Result<tier::Bucket> BucketMetadata::open_stores(const Where& where) {
  const Place place = TRY(parse_places(where.settings.tiers.stores)).back();
  const meta::VolumeSettings record = TRY(fetch_volume_object(place, where.settings.s3));
  const std::optional<std::string> secret = TRY(secret_of(where.cache));
  const std::optional<tier::Key> key = TRY(open_key(record, secret));
  stores_ = TRY(Stores::open(where.settings.tiers, where.settings.s3, record, {.pool = where.pool}));
  TRY(remove_all(where.target.root));
  for (const std::string& folder : {where.target.root, where.target.hot()}) TRY(make_folder(folder));
  volume_ = record.id;
  return tier::Bucket{.store = stores_->tiers().back().store,
                      .pool = where.pool,
                      .random = system_random(),
                      .key = key,
                      .codec = codec_of(where.settings.tiers)};
}

Result<std::unique_ptr<BucketMetadata>> BucketMetadata::read(const Where& where) {
  std::unique_ptr<BucketMetadata> metadata(new BucketMetadata(where));
  const tier::Bucket bucket = TRY(metadata->open_stores(where));
  auto restored = io::block_on(
      where.reactors, tier::restore_metadata(bucket, target_of(where), {.volume = metadata->volume_, .rewinds = true}));
  if (restored) metadata->engine_ = std::move(restored->engine);
  if (restored && restored->given_up.ok()) return metadata;
  (void)metadata->close();
  if (!restored) return fail(restored.error());
  return fail(Code::kCorrupt,
              fmt::format("{}: {}{}", bucket.store.describe(), restored->given_up.message(), kRewindAdvice));
}

Result<std::unique_ptr<BucketMetadata>> BucketMetadata::write(const Where& where) {
  std::unique_ptr<BucketMetadata> metadata(new BucketMetadata(where));
  const tier::Bucket bucket = TRY(metadata->open_stores(where));
  Result<void> opened;
  const Result<bool> released = io::block_on(where.reactors, tier::is_released(bucket));
  if (!released) {
    opened = fail(released.error());
  } else if (!*released) {
    opened =
        fail(Code::kBusy,
             fmt::format("{}: the volume is mounted somewhere, or was when its machine vanished. Unmount it there; "
                         "if that machine is gone, mount and unmount it here",
                         bucket.store.describe()));
  } else {
    tier::Bytes16 database{};
    bucket.random.fill(std::as_writable_bytes(std::span(database)));
    metadata->shipping_ = std::make_unique<Shipping>(
        Shipping::Options{.bucket = bucket,
                          .volume_id = metadata->volume_,
                          .database = database,
                          .ship = {.asks_after = tier::AskAfter::kFirst, .keep_lease = false}});
    auto engine = io::block_on(where.reactors, metadata->shipping_->open([&where] { return target_of(where); }));
    if (engine) metadata->engine_ = *std::move(engine);
    if (!engine) opened = fail(engine.error());
  }
  if (opened) return metadata;
  (void)metadata->close();
  return fail(opened.error());
}

Result<void> BucketMetadata::close() {
  Result<void> done;
  if (shipping_) done = io::block_on(reactors_, shipping_->stop());
  if (engine_) {
    const Result<void> closed = io::block_on(reactors_, engine_->close());
    if (done) done = closed;
  }
  engine_.reset();
  shipping_.reset();
  if (stores_) io::block_on(reactors_, stores_->close());
  return done;
}

}  // namespace firn::cli
