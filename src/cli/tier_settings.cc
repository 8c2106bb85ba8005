#include "cli/tier_settings.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/place.h"
#include "cli/tier_bounds.h"
#include "tier/tier.h"

namespace firn::cli {

using config::Duration;
using config::Flag;
using config::Integer;
using config::Size;
using config::Text;
using config::TextList;

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kTiB = uint64_t{1} << 40;
// Slower, and a request would look as if it hung.
constexpr uint64_t kLeastRate = 16 << 10;

std::string problem_of_stores(const std::vector<std::string>& stores) {
  const auto places = parse_places(stores);
  return places ? "" : places.error().message();
}

void append_own(OwnTierSettings& own, config::Schema& schema) {
  const bool local = own.name == kLocalDisk;
  const std::string section = "tier." + own.name + ".";
  schema.insert(
      schema.end(),
      {{section + "capacity", Size{&own.capacity_bytes, 0, kTiB << 10},
        local ? "Of the local disk alone, instead of what [tiers] says: how much file content it may hold; 0: "
                "as tiers.hot_max says."
              : "Of this tier alone, instead of what [tiers] says: how much it may hold; 0: as tiers.limits "
                "says."},
       {section + "high_watermark", Integer{&own.high_watermark_percent, 1, 100},
        "Percent of that at which content begins to leave it, ..."},
       {section + "low_watermark", Integer{&own.low_watermark_percent, 0, 99},
        "... until it is down to this percent."}});
}

void append_common(TierSettings& s, config::Schema& schema) {
  schema.insert(
      schema.end(),
      {{"tiers.stores", TextList{&s.stores, tier::kMaxTiers, problem_of_stores},
        "Colder tiers as NAME=URL, nearest first, such as \"nas=/mnt/nas/firn\" and \"s3=s3://bucket/prefix\". Names "
        "and order are fixed when the volume is made; a URL may change when the objects have moved. Without it, the "
        "URLs that the volume was made with hold."},
       {"tiers.compression", Text{&s.compression, {"zstd", "lz4", "none"}},
        "How what leaves this machine is compressed. What is already there stays as it is."},
       {"tiers.dedup", Flag{&s.dedup},
        "Whether a chunk of a file that is equal to one that is there already is not sent again. It costs a hash of "
        "every chunk that is sent, and up to 250 bytes of metadata for each."},
       {"tiers.durability", Text{&s.durability, {"local", "object"}},
        "What fsync waits for. local: this machine's disk. object: the colder tier, of which there is one; then the "
        "volume lives there, and its folder here is a cache. It is as the volume was made."},
       {"tiers.encrypt", Flag{&s.encrypt},
        "Whether what leaves this machine is encrypted. A note of how the volume was made, so that firn mount asks for "
        "the passphrase: changing it changes nothing else."},
       {"tiers.key_file", Text{&s.key_file, {}},
        "The file whose content opens an encrypted volume, an absolute path. Without it: the environment's "
        "FIRN_PASSPHRASE, else a question on the terminal."},
       {"tiers.flush_interval", Duration{&s.flush_interval_ns, kSecond, 24 * kHour},
        "What has settled is sent after at most this long, ..."},
       {"tiers.flush_size", Size{&s.flush_bytes, kMiB, kTiB}, "... or as soon as so much waits."},
       {"tiers.live_interval", Duration{&s.live_interval_ns, kSecond, 8760 * kHour},
        "A file that stays open for writing is sent as it is after so long, and again each time so long has passed."},
       {"tiers.hot_max", Size{&s.hot_max_bytes, 0, kTiB << 10},
        "How much file content the local disk may hold; 0: as much as fits."},
       {"tiers.hot_hard_max", Size{&s.hot_hard_max_bytes, 0, kTiB << 10},
        "How much it may hold while nothing of it can be evicted. Above hot_max writers are slowed, here they fail. 0: "
        "a tenth more than hot_max."},
       {"tiers.high_watermark", Integer{&s.high_watermark_percent, 1, 100},
        "Percent of that at which content that colder tiers have begins to leave the local disk, ..."},
       {"tiers.low_watermark", Integer{&s.low_watermark_percent, 0, 99}, "... until it is down to this percent."},
       {"tiers.limits", TextList{&s.limits, tier::kMaxTiers},
        "How much a tier may hold, such as \"nas=500GiB\". The watermarks hold for it, too: what the tiers behind it "
        "have leaves it, what was used longest ago first. The last tier has no limit."},
       {"tiers.evict_recency", Integer{&s.evict_recency_percent, 0, 10'000},
        "What leaves first: percent by which it counts how long ago a file was used, ..."},
       {"tiers.evict_frequency", Integer{&s.evict_frequency_percent, 0, 10'000},
        "... and how often it was opened lately."},
       {"tiers.put_rate", Size{&s.put_bytes_per_s, 0, kTiB}, "Bytes a second to each tier; 0: no limit."},
       {"tiers.get_rate", Size{&s.get_bytes_per_s, 0, kTiB}, "Bytes a second from each tier; 0: no limit."},
       {"tiers.busy_put_rate", Size{&s.busy_put_bytes_per_s, 0, kTiB},
        "Bytes a second to which uploads are held while programs write fast, or an eighth of what they write, if that "
        "is more; 0: they are never held back."},
       {"tiers.requests", Integer{&s.requests_in_flight, 1, 1024},
        "Requests under way to each tier; an eighth, at least one, is for small ones alone (1: one beside it)."},
       {"tiers.blobs_in_flight", Integer{&s.blobs_in_flight, 1, 64},
        "Objects that are sent at once. Each takes up to 64 MiB of memory."},
       {"tiers.chunks_in_flight", Integer{&s.chunks_in_flight, 1, 256},
        "Chunks of one file that are fetched at once. Each takes data.chunk_size of memory."},
       {"tiers.readahead", Size{&s.readahead_bytes, 0, 1024 * kMiB},
        "How far fetching may run ahead of a program that reads in order."},
       {"tiers.retention", Duration{&s.retention_ns, 0, 8760 * kHour},
        "How long objects that nothing refers to any more are kept before gc may remove them."},
       {"tiers.scrub_rate", Size{&s.scrub_bytes_per_s, 0, 10240 * kMiB},
        "Once a day all stored data is read again and verified, at so many bytes a second; 0: only by firn scrub. "
        "Stores "
        "may charge for requests and traffic."},
       {"tiers.follow_interval", Duration{&s.follow_interval_ns, kSecond / 10, kHour},
        "How often a read-only mount of a volume that lives in a bucket asks for what has changed: one request each "
        "time."},
       {"tiers.lease", Duration{&s.lease_ns, 0, 600 * kSecond},
        "How long the daemon of a volume that lives in a bucket may answer from its cache after the bucket has last "
        "said that no other has taken the volume over. When it has lapsed, the next request waits for one request to "
        "the bucket; while that does not answer, requests wait, and fail after five minutes. Whoever takes the volume "
        "over from a machine that vanished waits for so long. 0: the cache is always answered from, and may be out of "
        "date."}});
}

}  // namespace

void append_schema(TierSettings& s, config::Schema& schema) {
  append_common(s, schema);
  for (OwnTierSettings& own : s.own) append_own(own, schema);
}

void append_schema(S3Settings& s, config::Schema& schema) {
  schema.insert(schema.end(),
                {{"s3.region", Text{&s.region, {}}, "Without it: AWS_REGION, the profile's, us-east-1."},
                 {"s3.endpoint", Text{&s.endpoint, {}},
                  "https://host[:port] of a server other than Amazon's. Without it: AWS_ENDPOINT_URL, the profile's. A "
                  "tier's URL may have its own: s3://bucket/prefix?endpoint=https://host."},
                 {"s3.path_style", Text{&s.path_style, {"auto", "yes", "no"}},
                  "Whether the bucket's name stands in the path instead of the host's name; auto: where there is an "
                  "endpoint."},
                 {"s3.ca_file", Text{&s.ca_file, {}},
                  "The authorities to trust, in PEM. Without it: AWS_CA_BUNDLE, the system's."},
                 {"s3.profile", Text{&s.profile, {}},
                  "The profile of ~/.aws whose keys are used. Without it: the AWS tools' usual order."}});
}

Status check(const TierSettings& settings, uint64_t chunk_bytes) {
  if (settings.low_watermark_percent >= settings.high_watermark_percent)
    return Status(
        Code::kInvalid,
        fmt::format("tiers.low_watermark is {} and tiers.high_watermark {}; the low one must be below the high one",
                    settings.low_watermark_percent, settings.high_watermark_percent));
  if (settings.durability == "object" && settings.stores.size() != 1)
    return Status(Code::kInvalid,
                  fmt::format("tiers.durability: object goes with exactly one colder tier, there are {}",
                              settings.stores.size()));
  const uint64_t hot_max_bytes = hot_bounds_of(settings).max_bytes;
  // [tier.hot] and hot_max are not both given: check_own_tiers().
  const std::string_view hot_max = settings.hot_max_bytes == hot_max_bytes ? "tiers.hot_max" : "tier.hot.capacity";
  if (settings.hot_hard_max_bytes != 0 && settings.hot_hard_max_bytes < hot_max_bytes)
    return Status(Code::kInvalid,
                  fmt::format("tiers.hot_hard_max is {} and {} {}; it must not be less",
                              format_size(settings.hot_hard_max_bytes), hot_max, format_size(hot_max_bytes)));
  for (const auto& [name, rate] :
       {std::pair("put_rate", settings.put_bytes_per_s), {"get_rate", settings.get_bytes_per_s}})
    if (rate != 0 && rate < kLeastRate)
      return Status(Code::kInvalid, fmt::format("tiers.{} is {} a second; the least is {}, and 0B is no limit", name,
                                                format_size(rate), format_size(kLeastRate)));
  if (!settings.key_file.empty() && !settings.key_file.starts_with('/'))
    return Status(Code::kInvalid,
                  fmt::format("tiers.key_file: {} is a relative path; give an absolute one", settings.key_file));
  if (!settings.stores.empty() && chunk_bytes > tier::kMaxFramePlainBytes)
    return Status(Code::kInvalid, fmt::format("chunks of {} are too large for colder tiers; the most is {}",
                                              format_size(chunk_bytes), format_size(tier::kMaxFramePlainBytes)));
  return {};
}

tier::Codec codec_of(const TierSettings& settings) {
  if (settings.compression == "lz4") return tier::Codec::kLz4;
  return settings.compression == "none" ? tier::Codec::kStored : tier::Codec::kZstd;
}

}  // namespace firn::cli
