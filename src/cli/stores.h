// The stores of a volume's colder tiers, opened and wrapped: what stands in firn.toml becomes a tier::Tiers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/random.h"
#include "cli/place.h"
#include "cli/tier_settings.h"
#include "io/blocking_pool.h"
#include "meta/volume.h"
#include "object/s3/s3_store.h"
#include "object/wrappers.h"
#include "tier/tier.h"

namespace firn::cli {

// What the S3 library is told: the process's environment, with [s3] and the place's own options put over it.
object::s3::Environment environment_of(const Place& place, const S3Settings& settings,
                                       object::s3::Environment environment);

// The bucket that a place names. kInvalid: it names none.
Result<object::S3Options> bucket_of(const Place& place, const S3Settings& settings,
                                    const object::s3::Environment& environment);

struct PlaceOptions {
  bool last = false;  // a folder must keep the writers of several machines apart, or refuses what asks for it
  // These, only a bucket keeps to.
  uint64_t put_bytes_per_s = 0, get_bytes_per_s = 0;          // of one request's body; 0: no limit
  size_t requests_in_flight = 64;                             // so many connections stay open
  std::function<void(object::Kind)> on_further_request = {};  // S3Options
  // Of what is got, part by part, on any thread.
  std::function<void(uint64_t bytes)> on_arrival = {};
};

// The bare store of one place: no retries, and no limit but the rates. `marker_id`: of the folder's marker; empty: any.
// Asks nothing of the place yet. `pool` must outlive the store.
Result<std::unique_ptr<object::ObjectStore>> open_place(const Place& place, const S3Settings& settings,
                                                        const std::string& marker_id, io::BlockingPool& pool,
                                                        const object::s3::Environment& environment,
                                                        PlaceOptions options = {});

// The places of a volume's tiers in their order: those of firn.toml, or where it names none, the record's. kInvalid:
// firn.toml has other names, or another order, than the volume was made with.
Result<std::vector<Place>> places_of(const TierSettings& settings, const meta::VolumeSettings& record);

// What `firn status` tells of a tier.
struct TierInfo {
  std::string name, url;
  std::string store;  // "s3://bucket/prefix at https://host"
  object::Health::Report health;
  object::RequestCounts requests;  // since the process began, by object::Kind
};

// Owns the stores. Opening one asks nothing of its place, so a tier that is down keeps no volume from being mounted:
// requests to it fail with kUnavailable, kNoDevice (a share that is not mounted, a missing bucket, another volume's
// place) or kAccessDenied, until it is right.
class Stores {
 public:
  struct Parts {
    io::BlockingPool& pool;            // for digests; must outlive the stores
    Random& random = system_random();  // thread-safe; must outlive the stores
    metrics::Registry& registry = metrics::process_registry();
    object::s3::Environment environment = object::s3::Environment::of_process();
  };
  // No tiers: empty, and everything below works. kInvalid: the settings make no sense for this volume.
  static Result<std::unique_ptr<Stores>> open(const TierSettings& tiers, const S3Settings& s3,
                                              const meta::VolumeSettings& record, Parts parts);

  // Valid while this is; the position is the tier's bit. Requests are tried again, limited, counted; the first to a
  // bucket makes sure that it is this volume's.
  tier::Tiers tiers() const;
  const Place& last_place() const { return opened_.back().place; }
  // Thread-safe.
  std::vector<TierInfo> info() const;

  // Once nobody uses the tiers any more, on a reactor. Then the destructor, off the reactors: it joins threads, and
  // waits for what a share that hangs still holds.
  io::Task<void> close();

 private:
  struct Opened {
    Place place;
    std::unique_ptr<object::Health> health;
    std::unique_ptr<object::ObjectStore> store;  // after health, which it refers to
  };
  explicit Stores(metrics::Registry& registry) : registry_(registry) {}

  metrics::Registry& registry_;
  std::vector<Opened> opened_;
};

}  // namespace firn::cli
