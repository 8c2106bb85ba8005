// firn init: makes a volume.
#include <fmt/format.h>
#include <sys/stat.h>

#include <bit>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/hex.h"
#include "base/random.h"
#include "cli/cache_folder.h"
#include "cli/command.h"
#include "cli/files.h"
#include "cli/json.h"
#include "cli/new_volume.h"
#include "cli/secret.h"
#include "cli/stores.h"
#include "cli/volume_object.h"
#include "object/s3/s3_store.h"
#include "tier/key_wrap.h"

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Makes VOLUME, a folder that holds a file system: firn.toml (the settings, with comments), meta/ (names and\n"
    "attributes), hot/ (the content of files). VOLUME must not exist yet, or be an empty folder. Put it on a local\n"
    "disk with a file system that has sparse files (ext4, XFS, btrfs).\n\n"
    "Colder tiers, nearest first, are where content settles: --tier NAME=URL, with a NAME of a-z, 0-9 and -, and a "
    "URL\n"
    "that is a folder (of a NAS share, of another disk; its parent must be there) or s3://bucket/prefix (the bucket\n"
    "must be there; ?endpoint=https://host, ?region= and ?profile= may follow). Each is tried out, and marked as this\n"
    "volume's: give each volume a folder or prefix of its own. Credentials for S3 come from where the AWS tools have\n"
    "theirs: the environment, ~/.aws, the container, the instance. The endpoint, region, profile and CA file that the\n"
    "environment names are written into firn.toml; credentials are not.\n\n"
    "--encrypt seals what leaves this machine with a key that a passphrase or a key file opens: asked for on the\n"
    "terminal, or FIRN_PASSPHRASE in the environment, or --key-file. Without it nobody can read the tiers: keep it.\n"
    "The content in VOLUME itself is not encrypted.\n\n"
    "--dedup sends chunks of files that are equal to others once only; firn.toml may say otherwise later "
    "(tiers.dedup).\n\n"
    "A VOLUME of the form s3://bucket/prefix lives in the bucket: names, attributes and content are there, fsync\n"
    "returns when the bucket has what was written, and any machine can mount it, one at a time for writing. What it\n"
    "keeps here is a cache, below $FIRN_CACHE_DIR or ~/.cache/firn, which may be removed whenever it is not "
    "mounted.\n\n"
    "An interrupted init leaves nothing of value; run it again.\n\n"
    "  firn init ./demo && firn mount ./demo ./mnt\n"
    "  firn init ./demo --tier nas=/mnt/nas/demo --tier s3=s3://bucket/demo --encrypt\n"
    "  firn init s3://bucket/demo2 && firn mount s3://bucket/demo2 ./mnt";

struct InitOptions {
  std::string volume;
  std::string chunk_size = "4MiB";
  std::vector<std::string> tiers;
  std::string durability;
  std::string compression;
  std::string key_file;
  bool encrypt = false;
  bool dedup = false;
  bool json = false;
};

std::unexpected<Status> wrong(std::string why) { return fail(Code::kInvalid, "init: " + std::move(why)); }

Result<uint64_t> chunk_bytes_of(const InitOptions& options) {
  const Result<uint64_t> chunk = parse_size(options.chunk_size);
  if (!chunk || !std::has_single_bit(*chunk) || *chunk < 64 << 10 || *chunk > 64 << 20)
    return wrong(fmt::format("--chunk-size: {} is not a power of two from 64KiB to 64MiB", options.chunk_size));
  return *chunk;
}

Status check_combination(const InitOptions& options) {
  if (options.encrypt && options.tiers.empty())
    return Status(Code::kInvalid, "init: --encrypt seals what goes to colder tiers; give at least one --tier");
  if (!options.compression.empty() && options.tiers.empty())
    return Status(Code::kInvalid, "init: --compress is about what goes to colder tiers; give at least one --tier");
  if (options.dedup && options.tiers.empty())
    return Status(Code::kInvalid, "init: --dedup is about what goes to colder tiers; give at least one --tier");
  if (options.durability == "object" && options.tiers.size() != 1)
    return Status(Code::kInvalid,
                  "init: --durability object: fsync waits for the colder tier; give exactly one --tier, or make the "
                  "volume in the bucket: firn init s3://bucket/prefix");
  if (!options.key_file.empty() && !options.encrypt)
    return Status(Code::kInvalid, "init: --key-file goes with --encrypt");
  return {};
}

// Failures of this one are misuse: nothing has been touched.
Result<NewVolume> plan(const InitOptions& options) {
  NewVolume volume;
  Settings& settings = volume.settings;
  TRY(check_combination(options));
  settings.chunk_bytes = TRY(chunk_bytes_of(options));
  bool buckets = false;
  for (const std::string& text : options.tiers) {
    const Result<Place> place = parse_place_here(text);
    if (!place) return wrong("--tier: " + place.error().message());
    settings.tiers.stores.push_back(place->text());
    volume.record.tiers.push_back({place->name, place->url});
    buckets = buckets || place->kind == Place::Kind::kBucket;
  }
  Result<std::vector<Place>> places = parse_places(settings.tiers.stores);
  if (!places) return wrong("--tier: " + places.error().message());
  volume.places = *std::move(places);
  if (options.durability == "object" && volume.places[0].kind != Place::Kind::kBucket)
    return wrong("--durability object: the tier in which the volume lives must be a bucket: s3://bucket/prefix");
  if (!options.compression.empty()) settings.tiers.compression = options.compression;
  if (!options.durability.empty()) settings.tiers.durability = options.durability;
  settings.tiers.encrypt = options.encrypt;
  settings.tiers.dedup = options.dedup;
  if (!options.key_file.empty()) settings.tiers.key_file = absolute_path(options.key_file);
  if (buckets) keep_environment(settings.s3);
  if (const Status checked = check(settings.tiers, settings.chunk_bytes); !checked.ok())
    return wrong("--chunk-size: " + checked.message());
  // What is written must be readable, whatever bytes the names of folders have.
  const Result<Settings> readable = parse_settings(render_settings(settings), "firn.toml");
  if (!readable) return wrong("the names cannot be written into firn.toml: " + readable.error().message());
  return volume;
}

// The volume's folder would be removed with its tier in it, and the tier with the volume's disk.
Status check_apart(const NewVolume& volume) {
  const std::string inside = volume.paths.root + "/";
  for (const Place& place : volume.places)
    if (place.kind == Place::Kind::kFolder && (absolute_path(place.where) + "/").starts_with(inside))
      return Status(Code::kInvalid, fmt::format("tier {}: {} is inside the volume; choose a folder elsewhere",
                                                place.name, place.where));
  return {};
}

Status make_key(const std::string& name, NewVolume& volume) {
  const std::string secret =
      TRY(read_new_secret({.key_file = volume.settings.tiers.key_file, .question = "A passphrase for " + name}));
  volume.key = tier::make_key(system_random());
  volume.record.wrapped_key = tier::encode(TRY(tier::wrap_key(*volume.key, secret, system_random())));
  return {};
}

void fill_record(NewVolume& volume) {
  meta::VolumeSettings& record = volume.record;
  const Settings& settings = volume.settings;
  record.format_version = record.tiers.empty() ? meta::kPlainFormatVersion : meta::kFormatVersion;
  record.chunk_bytes = settings.chunk_bytes;
  record.inline_max_bytes = settings.inline_max_bytes;
  record.created = system_clock().now();
  record.name = std::filesystem::path(volume.paths.root).filename().string();
  record.compression = settings.tiers.compression;
  record.dedup = settings.tiers.dedup;
  record.durability = settings.tiers.durability;
}

// A colder tier that is lost with the volume's own disk protects from little.
std::vector<std::string> tiers_on_same_disk(const NewVolume& volume) {
  std::vector<std::string> names;
  struct stat own{}, other{};
  if (stat(volume.paths.root.c_str(), &own) != 0) return names;
  for (const Place& place : volume.places)
    if (place.kind == Place::Kind::kFolder && stat(place.where.c_str(), &other) == 0 && own.st_dev == other.st_dev)
      names.push_back(place.name);
  return names;
}

// A share is mounted elsewhere than `/`: what is there now is likely the folder where it is to be mounted.
void warn_of_missing_mounts(const NewVolume& volume) {
  struct stat root{}, there{};
  if (stat("/", &root) != 0) return;
  for (const Place& place : volume.places)
    if (place.kind == Place::Kind::kFolder && stat(place.where.c_str(), &there) == 0 && there.st_dev == root.st_dev)
      fmt::print(stderr,
                 "warning: the tier {}, {}, is on the file system of /: if a share is to be mounted there, it is not. "
                 "What goes to the tier fills this machine's disk. Remove VOLUME and that folder, mount the share, and "
                 "run init again\n",
                 place.name, place.where);
}

void tell(const InitOptions& given, const NewVolume& volume) {
  const std::vector<std::string> same_disk = tiers_on_same_disk(volume);
  if (given.json)
    return print_json({{"volume", given.volume},
                       {"id", to_hex(volume.record.id)},
                       {"name", volume.record.name},
                       {"tiers_on_same_disk", same_disk}});
  for (const std::string& name : same_disk) fmt::print("note: the tier {} is on the same disk as the volume\n", name);
  fmt::print("made {}; mount it with: firn mount {} MOUNTPOINT\n", given.volume, given.volume);
}

// The options of a volume that lives in a bucket: a folder, its cache, with the bucket as its one tier.
Result<InitOptions> as_folder(InitOptions options) {
  const std::string& url = options.volume;
  if (!options.tiers.empty()) return wrong("--tier: a volume that lives in a bucket has no other tiers");
  if (!options.durability.empty() && options.durability != "object")
    return wrong("--durability: what lives in a bucket is durable there: object");
  if (const auto bucket = object::s3_options(url, object::s3::Environment::of_process()); !bucket)
    return wrong(bucket.error().message());
  options.durability = "object";
  options.tiers = {"s3=" + url};
  Result<std::string> folder = cache_folder_of(url);
  if (!folder) return wrong(folder.error().message());
  options.volume = *std::move(folder);
  return options;
}

// A cache of what was at the URL once, and is no more. What is there now says so.
Status remove_stale_cache(const NewVolume& volume, const InitOptions& given) {
  if (find_holder(volume.paths)) return Status(Code::kBusy, fmt::format("{}: is served on this machine", given.volume));
  const auto record = fetch_volume_object(volume.places.back(), volume.settings.s3);
  if (record)
    return Status(Code::kExists, fmt::format("{}: is a volume already; use it with: firn mount {} MOUNTPOINT",
                                             given.volume, given.volume));
  if (record.error() != Code::kNotFound) return record.error();
  return remove_all(volume.paths.root);
}

Status make_room_for_cache(const NewVolume& volume, const InitOptions& given, Probe& probe) {
  if (probe.state == FolderState::kVolume) {
    TRY(remove_stale_cache(volume, given));
    probe.state = FolderState::kMissing;
  }
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(probe.paths.root).parent_path(), error);
  return error ? Status::from_errno(error.value(), probe.paths.root) : Status();
}

Result<int> init(const InitOptions& given) {
  const bool in_bucket = is_bucket_url(given.volume);
  Result<InitOptions> options = in_bucket ? as_folder(given) : given;
  if (!options) return misuse(options.error().message());
  Result<NewVolume> planned = plan(*options);
  if (!planned) return misuse(planned.error().message());
  NewVolume volume = *std::move(planned);
  Probe probe = TRY(probe_folder(options->volume));
  volume.paths = probe.paths;
  if (in_bucket) TRY(make_room_for_cache(volume, given, probe));
  TRY(check_vacant(given.volume, probe, fmt::format("use it with: firn mount {} MOUNTPOINT", given.volume)));
  TRY(check_apart(volume));
  if (options->encrypt) TRY(make_key(given.volume, volume));
  fill_record(volume);
  if (in_bucket) volume.record.name = given.volume;
  volume.record.id = TRY(make_volume(volume));
  warn_of_missing_mounts(volume);
  tell(given, volume);
  return kExitOk;
}

}  // namespace

void add_init(Command& firn) {
  Command command = firn.add("init", "Make a volume", kManual);
  auto options = std::make_shared<InitOptions>();
  command.value("VOLUME", options->volume, "The folder to make, or s3://bucket/prefix for a volume that lives there")
      .required();
  command.value("--chunk-size", options->chunk_size,
                "Unit in which colder tiers hold a file (4MiB; at most 16MiB with tiers)");
  command.value("--tier", options->tiers, "NAME=URL: a colder tier; may be repeated, nearest first").one_at_a_time();
  command
      .value("--durability", options->durability,
             "What fsync waits for: local (this machine's disk), or object (the bucket that the volume lives in)")
      .one_of({"local", "object"});
  command.value("--compress", options->compression, "How what leaves this machine is compressed (zstd)")
      .one_of({"zstd", "lz4", "none"});
  command.flag("--dedup", options->dedup, "Send chunks that are equal to others once only");
  command.flag("--encrypt", options->encrypt, "Seal what leaves this machine");
  command.value("--key-file", options->key_file, "The file whose content opens the encrypted volume").called("FILE");
  command.json(options->json, "What was made as one JSON value");
  command.runs([options] { return init(*options); });
}

}  // namespace firn::cli
