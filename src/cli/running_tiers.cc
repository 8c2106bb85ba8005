#include "cli/running_tiers.h"

#include <fmt/format.h>

#include "base/log.h"
#include "tier/blob/blob_id.h"

namespace firn::cli {

namespace {

std::vector<std::string> names_of(const tier::Tiers& tiers) {
  std::vector<std::string> names;
  for (const tier::Tier& tier : tiers) names.push_back(tier.name);
  return names;
}

tier::UploadOptions upload_options(const TierSettings& settings, uint64_t chunk_bytes, std::optional<tier::Key> key,
                                   tier::OnDamage on_damage) {
  return {.chunk_bytes = chunk_bytes,
          .codec = codec_of(settings),
          .key = key,
          .blobs_in_flight = static_cast<size_t>(settings.blobs_in_flight),
          .live_interval_ns = settings.live_interval_ns,
          .dedup = settings.dedup,
          .only_current = settings.durability == "object",
          .on_damage = std::move(on_damage)};
}

vfs::TierOptions tier_options(const TierSettings& settings, uint64_t chunk_bytes) {
  const TierBounds hot = hot_bounds_of(settings);
  return {.chunk_bytes = chunk_bytes,
          .readahead_bytes = settings.readahead_bytes,
          .chunks_in_flight = static_cast<size_t>(settings.chunks_in_flight),
          .flush_interval_ns = settings.flush_interval_ns,
          .flush_bytes = settings.flush_bytes,
          .busy_bytes_per_s = settings.busy_put_bytes_per_s,
          .hot_max_bytes = hot.max_bytes,
          .hot_hard_max_bytes = settings.hot_hard_max_bytes,
          .high_percent = hot.high_percent,
          .low_percent = hot.low_percent,
          .eviction = {.recency = static_cast<double>(settings.evict_recency_percent) / 100,
                       .frequency = static_cast<double>(settings.evict_frequency_percent) / 100}};
}

}  // namespace

RunningTiers::RunningTiers(Stores& stores, Parts parts, const Settings& settings, uint64_t chunk_bytes,
                           std::optional<tier::Key> key)
    : stores_(stores),
      key_(key),
      uploader_({parts.meta, parts.meta, parts.data, parts.pool, system_random(), stores_.tiers()},
                upload_options(settings.tiers, chunk_bytes, key, on_damage())),
      hydrator_({parts.meta, parts.meta, parts.pool, stores_.tiers()},
                {.chunk_bytes = chunk_bytes,
                 .key = key,
                 .backings_are_cache = settings.tiers.durability == "object",
                 .on_damage = on_damage()}),
      // Stores::open() has looked at the setting.
      limits_(stores_, {parts.meta, parts.meta, hydrator_.uses(), stores_.tiers()},
              bounds_of(settings.tiers, names_of(stores_.tiers())).value(), on_damage()),
      parts_{names_of(stores_.tiers()),
             parts.meta,
             uploader_,
             hydrator_,
             tier_options(settings.tiers, chunk_bytes),
             {},
             {}} {}

tier::OnDamage RunningTiers::on_damage() {
  return [this](const tier::Damage& damage) {
    repairs_.note(damage);
    const std::string what = damage.inode == InodeId()
                                 ? tier::key_of(tier::blob_id_of_name(damage.chunk.blob))
                                 : fmt::format("chunk {} of inode {}", damage.chunk.index.value, damage.inode.value);
    log::error("tier {}: {} is damaged: {}", damage.tier, what, damage.what.to_string());
  };
}

void RunningTiers::ship_metadata(Shipping& shipping) {
  parts_.ship_metadata = [&shipping] { return shipping.ship(); };
  parts_.permitted = [&shipping] { return shipping.permitted(); };
}

}  // namespace firn::cli
