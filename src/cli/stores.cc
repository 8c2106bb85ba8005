#include "cli/stores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/hex.h"
#include "cli/tier_bounds.h"
#include "object/dir/dir_store.h"
#include "tier/volume_record.h"

namespace firn::cli {
namespace {

using object::ObjectStore;

// The place's own option, else the setting; "" when neither says anything.
std::string chosen(const Place& place, const char* option, const std::string& setting) {
  const auto own = place.options.find(option);
  return own == place.options.end() ? setting : own->second;
}

Result<std::unique_ptr<ObjectStore>> open_bucket(const Place& place, const S3Settings& settings, io::BlockingPool& pool,
                                                 const object::s3::Environment& process, PlaceOptions bucket) {
  const object::s3::Environment environment = environment_of(place, settings, process);
  object::S3Options options = TRY(bucket_of(place, settings, environment));
  options.http.put_bytes_per_s = bucket.put_bytes_per_s;
  options.http.get_bytes_per_s = bucket.get_bytes_per_s;
  options.http.kept_connections = static_cast<long>(bucket.requests_in_flight);
  options.http.on_arrival = std::move(bucket.on_arrival);
  options.on_further_request = std::move(bucket.on_further_request);
  return object::open_s3_store(std::move(options), environment, pool);
}

// A folder has its marker; a bucket has the object `volume`.
std::unique_ptr<ObjectStore> guarded_bucket(std::unique_ptr<ObjectStore> store, std::string id) {
  return object::guarded(std::move(store), {.key = tier::kVolumeObject,
                                            .max_bytes = tier::kMaxVolumeObjectBytes,
                                            .accept = [id = std::move(id)](std::string_view bytes) -> Status {
                                              const auto owner = TRY(tier::decode_volume_object(bytes));
                                              if (owner.id == id) return {};
                                              return Status(Code::kNoDevice,
                                                            fmt::format("it is the place of the volume {} (id {})",
                                                                        owner.name, to_hex(owner.id)));
                                            }});
}

std::vector<std::string> names_of(const auto& tiers) {
  std::vector<std::string> names;
  for (const auto& tier : tiers) names.push_back(tier.name);
  return names;
}

}  // namespace

Result<object::S3Options> bucket_of(const Place& place, const S3Settings& settings,
                                    const object::s3::Environment& environment) {
  object::S3Options options = TRY(object::s3_options(place.where, environment));
  const std::string path_style = chosen(place, "path_style", settings.path_style);
  if (path_style != "auto") options.path_style = path_style == "yes";
  return options;
}

object::s3::Environment environment_of(const Place& place, const S3Settings& settings,
                                       object::s3::Environment environment) {
  auto& variables = environment.variables;
  const auto put = [&](const char* variable, const std::string& value) {
    if (!value.empty()) variables[variable] = value;
  };
  put("AWS_REGION", chosen(place, "region", settings.region));
  put("AWS_ENDPOINT_URL_S3", chosen(place, "endpoint", settings.endpoint));
  put("AWS_CA_BUNDLE", settings.ca_file);
  const std::string profile = chosen(place, "profile", settings.profile);
  put("AWS_PROFILE", profile);
  // A profile that was asked for by name is not to be overruled by keys that happen to be set.
  if (!profile.empty())
    for (const char* key : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                            "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"})
      if (auto variable = variables.extract(key)) environment.overruled.insert(std::move(variable));
  return environment;
}

Result<std::unique_ptr<ObjectStore>> open_place(const Place& place, const S3Settings& settings,
                                                const std::string& marker_id, io::BlockingPool& pool,
                                                const object::s3::Environment& environment, PlaceOptions options) {
  if (place.kind == Place::Kind::kBucket) return open_bucket(place, settings, pool, environment, std::move(options));
  return object::open_dir_store({.path = place.where,
                                 .id = marker_id,
                                 .apart_from_machines = options.last,
                                 .on_arrival = std::move(options.on_arrival)});
}

Result<std::vector<Place>> places_of(const TierSettings& settings, const meta::VolumeSettings& record) {
  std::vector<std::string> texts;
  for (const meta::TierPlace& tier : record.tiers) texts.push_back(tier.name + "=" + tier.url);
  if (settings.stores.empty()) return parse_places(texts);
  std::vector<Place> places = TRY(parse_places(settings.stores));
  if (names_of(places) == names_of(record.tiers)) return places;
  if (record.tiers.empty())
    return fail(Code::kInvalid,
                "tiers.stores: this volume was made without colder tiers, and cannot get any later; make one that has "
                "them with firn init --tier, and copy");
  return fail(Code::kInvalid, fmt::format("tiers.stores: the names are {}, but the volume was made with {}, in this "
                                          "order; only their URLs may change",
                                          fmt::join(names_of(places), ", "), fmt::join(names_of(record.tiers), ", ")));
}

Result<std::unique_ptr<Stores>> Stores::open(const TierSettings& tiers, const S3Settings& s3,
                                             const meta::VolumeSettings& record, Parts parts) {
  TRY(check(tiers, record.tiers.empty() ? 0 : record.chunk_bytes));
  if (tiers.encrypt && record.wrapped_key.empty())
    return fail(Code::kInvalid,
                "tiers.encrypt is true, but this volume was made without encryption, which cannot be added later");
  std::unique_ptr<Stores> stores(new Stores(parts.registry));
  const auto requests = static_cast<size_t>(tiers.requests_in_flight);
  std::vector<Place> places = TRY(places_of(tiers, record));
  TRY(bounds_of(tiers, names_of(places)));
  for (Place& place : places) {
    auto health = std::make_unique<object::Health>();
    PlaceOptions options{.last = stores->opened_.size() + 1 == places.size(),
                         .put_bytes_per_s = tiers.put_bytes_per_s,
                         .get_bytes_per_s = tiers.get_bytes_per_s,
                         .requests_in_flight = requests,
                         .on_further_request = object::further_requests(place.name, parts.registry),
                         .on_arrival = [health = health.get()](uint64_t bytes) { health->note_arrival(bytes); }};
    auto store = TRY(open_place(place, s3, to_hex(record.id), parts.pool, parts.environment, std::move(options)));
    store = object::watched(object::measured(std::move(store), place.name, parts.registry), *health);
    if (place.kind == Place::Kind::kBucket) store = guarded_bucket(std::move(store), record.id);
    store = object::limited(std::move(store), {.put_bytes_per_s = tiers.put_bytes_per_s,
                                               .get_bytes_per_s = tiers.get_bytes_per_s,
                                               .requests_in_flight = requests});
    store = object::retrying(std::move(store), {}, parts.random);
    stores->opened_.push_back({std::move(place), std::move(health), std::move(store)});
  }
  return stores;
}

tier::Tiers Stores::tiers() const {
  tier::Tiers tiers;
  for (const Opened& opened : opened_) tiers.push_back({opened.place.name, *opened.store, opened.health.get()});
  return tiers;
}

std::vector<TierInfo> Stores::info() const {
  std::vector<TierInfo> infos;
  for (const Opened& opened : opened_)
    infos.push_back({.name = opened.place.name,
                     .url = opened.place.url,
                     .store = opened.store->describe(),
                     .health = opened.health->report(),
                     .requests = object::request_counts(opened.place.name, registry_)});
  return infos;
}

io::Task<void> Stores::close() {
  for (const Opened& opened : opened_) co_await opened.store->close();
}

}  // namespace firn::cli
