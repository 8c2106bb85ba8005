#include "cli/volume_object.h"

#include "cli/store_advice.h"
#include "cli/stores.h"
#include "io/block_on.h"
#include "io/uring/uring_reactor.h"
#include "tier/volume_record.h"

namespace firn::cli {

io::Task<Result<meta::VolumeSettings>> read_volume_object(object::ObjectStore& store) {
  constexpr int64_t kDeadlineNs = 60'000'000'000;
  Result<std::string> bytes =
      co_await object::get_all(store, tier::kVolumeObject, tier::kMaxVolumeObjectBytes, io::within(kDeadlineNs));
  if (!bytes && bytes.error() == Code::kNotFound)
    co_return fail(Code::kNotFound, store.describe() + ": there is no volume; is the prefix right?");
  co_return tier::decode_volume_object(CO_TRY(std::move(bytes)));
}

Result<meta::VolumeSettings> fetch_volume_object(const Place& place, const S3Settings& settings) {
  const auto pool = io::make_thread_pool(2);
  const auto reactor = TRY(io::UringReactor::create({}));
  auto store = TRY(open_place(place, settings, "", *pool, object::s3::Environment::of_process()));
  store = object::retrying(std::move(store), {}, system_random());
  Result<meta::VolumeSettings> record = io::run_to_end(*reactor, read_volume_object(*store));
  io::run_to_end(*reactor, store->close());
  if (!record) return fail(record.error().code(), record.error().to_string() + advice_on(record.error(), place));
  return record;
}

Settings settings_of(const meta::VolumeSettings& record, const Place& place, const std::string& key_file) {
  Settings settings;
  settings.chunk_bytes = record.chunk_bytes;
  settings.inline_max_bytes = record.inline_max_bytes;
  if (!record.compression.empty()) settings.tiers.compression = record.compression;
  settings.tiers.dedup = record.dedup;
  if (!record.durability.empty()) settings.tiers.durability = record.durability;
  settings.tiers.encrypt = !record.wrapped_key.empty();
  settings.tiers.key_file = key_file;
  for (const meta::TierPlace& tier : record.tiers) settings.tiers.stores.push_back(tier.name + "=" + tier.url);
  if (!record.tiers.empty()) settings.tiers.stores.back() = record.tiers.back().name + "=" + place.url;
  keep_environment(settings.s3);
  return settings;
}

void keep_environment(S3Settings& settings) {
  const auto environment = object::s3::Environment::of_process();
  const auto first = [&](const char* one, const char* other) {
    const std::string value = environment.get(one);
    return value.empty() ? environment.get(other) : value;
  };
  settings.endpoint = first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
  settings.region = first("AWS_REGION", "AWS_DEFAULT_REGION");
  settings.ca_file = environment.get("AWS_CA_BUNDLE");
  // A profile that is written down overrules these.
  if (environment.get("AWS_ACCESS_KEY_ID").empty() && environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").empty())
    settings.profile = environment.get("AWS_PROFILE");
}

}  // namespace firn::cli
