// The colder tiers of an open volume: its stores, and the engine that moves data to them and back.
#pragma once

#include <memory>
#include <optional>

#include "cli/settings.h"
#include "cli/shipping.h"
#include "cli/stores.h"
#include "cli/tier_limits.h"
#include "data/store.h"
#include "io/blocking_pool.h"
#include "meta/local_service.h"
#include "meta/volume.h"
#include "tier/blob/sealing.h"
#include "tier/hydrator.h"
#include "tier/repair_queue.h"
#include "tier/uploader.h"
#include "vfs/tiers.h"

namespace firn::cli {

class RunningTiers {
 public:
  struct Parts {
    meta::LocalService& meta;
    data::Store& data;
    io::BlockingPool& pool;
  };
  // What `parts` and `settings` refer to must outlive it. Asks nothing of the stores.
  RunningTiers(Stores& stores, Parts parts, const Settings& settings, uint64_t chunk_bytes,
               std::optional<tier::Key> key);

  const vfs::TierParts& parts() const { return parts_; }
  Stores& stores() { return stores_; }
  const std::optional<tier::Key>& key() const { return key_; }
  // What readers found damaged, and who else reads blobs.
  tier::RepairQueue& repairs() { return repairs_; }
  // Has it repaired. Holds as long as this does.
  tier::OnDamage on_damage();
  TierLimits& limits() { return limits_; }
  // Before the volume uses parts().
  void ship_metadata(Shipping& shipping);
  // What the engine takes on the local disk is a part of hot_max. Before the volume uses parts(), which it must
  // outlive.
  void count_metadata(const kv::Engine& engine) {
    parts_.metadata_bytes = [&engine] { return engine.disk_bytes(); };
  }

 private:
  Stores& stores_;
  const std::optional<tier::Key> key_;
  tier::RepairQueue repairs_;
  tier::Uploader uploader_;
  tier::Hydrator hydrator_;
  TierLimits limits_;
  vfs::TierParts parts_;
};

}  // namespace firn::cli
