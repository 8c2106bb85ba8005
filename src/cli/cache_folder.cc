#include "cli/cache_folder.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/checksum.h"
#include "cli/files.h"
#include "cli/place.h"
#include "cli/volume_object.h"

namespace firn::cli {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr const char* kTierName = "s3";

std::string environment_or(const char* variable, const std::string& otherwise) {
  const char* value = std::getenv(variable);
  return value && *value ? value : otherwise;
}

Result<Place> place_of(const std::string& url) { return parse_place(fmt::format("{}={}", kTierName, url)); }

Status check_lives_here(const meta::VolumeSettings& record, const std::string& url) {
  if (record.durability == "object") return {};
  return Status(Code::kInvalid,
                fmt::format("{}: the volume {} lives on the machine that it was made on, and has a tier here; mount it "
                            "there, or bring it here with: firn restore {} VOLUME",
                            url, record.name, url));
}

// Whether the folder there, which has a firn.toml, is the cache of `place`.
Status check_same(const VolumePaths& paths, const Place& place) {
  const Settings settings = TRY(load_settings(paths.config()));
  const auto places = TRY(parse_places(settings.tiers.stores));
  if (settings.tiers.durability == "object" && places.size() == 1 && places[0].where == place.where) return {};
  return Status(Code::kExists, fmt::format("{}: is another volume's folder; give --cache another one", paths.root));
}

std::string server_text(const std::string& endpoint) { return endpoint.empty() ? "Amazon S3" : endpoint; }

std::string without_last_slash(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint;
}

}  // namespace

bool is_bucket_url(std::string_view volume) { return volume.starts_with(kScheme); }

std::string user_cache_folder() {
  const std::string home = environment_or("XDG_CACHE_HOME", environment_or("HOME", "/var") + "/.cache");
  return absolute_path(environment_or("FIRN_CACHE_DIR", home + "/firn"));
}

Result<std::string> cache_folder_of(const std::string& url) {
  const Place place = TRY(place_of(url));
  std::string name = place.where.substr(kScheme.size());
  for (char& c : name)
    if (c == '/') c = '-';
  // Two URLs may look the same once their slashes are gone.
  return fmt::format("{}/{}-{:08x}", user_cache_folder(), name, static_cast<uint32_t>(checksum64(place.url)));
}

Status check_same_server(const VolumePaths& paths, const std::string& url) {
  const Place place = TRY(place_of(url));
  if (place.options.contains("endpoint")) return {};
  S3Settings here;
  keep_environment(here);
  const std::string asked = without_last_slash(here.endpoint);
  const std::string kept = without_last_slash(TRY(load_settings(paths.config())).s3.endpoint);
  if (asked.empty() || asked == kept) return {};
  return Status(Code::kInvalid,
                fmt::format("{}: the environment names the server {}, and the cache {} is of {}; give this one a cache "
                            "of its own (firn mount --cache FOLDER), or, where the server has moved, change "
                            "s3.endpoint in {}",
                            url, asked, paths.root, server_text(kept), paths.config()));
}

Result<VolumePaths> open_cache_folder(const std::string& url, const std::string& folder, const std::string& key_file) {
  const Place place = TRY(place_of(url));
  const VolumePaths paths{folder.empty() ? TRY(cache_folder_of(url)) : absolute_path(folder)};
  const Probe probe = TRY(probe_folder(paths.root));
  switch (probe.state) {
    case FolderState::kVolume:
      TRY(check_same(paths, place));
      TRY(check_same_server(paths, url));
      return paths;
    case FolderState::kNotFolder:
    case FolderState::kForeign:
      return fail(Code::kExists,
                  fmt::format("{}: is not empty and no cache; give --cache an empty folder", paths.root));
    case FolderState::kHalfMade:
      return fail(Code::kInvalid, fmt::format("{}: firn init was interrupted; run it again: firn init {}", url, url));
    case FolderState::kMissing:
    case FolderState::kEmpty:
      break;
  }
  S3Settings s3;
  keep_environment(s3);
  const Result<meta::VolumeSettings> record = fetch_volume_object(place, s3);
  if (!record && record.error() == Code::kNotFound)
    return fail(Code::kNotFound, fmt::format("{}; make one with: firn init {}", record.error().message(), url));
  if (!record) return fail(record.error());
  TRY(check_lives_here(*record, url));
  std::error_code error;
  std::filesystem::create_directories(paths.root, error);
  if (error) return fail(Status::from_errno(error.value(), paths.root));
  std::filesystem::permissions(paths.root, std::filesystem::perms::owner_all, error);
  TRY(write_file(paths.config(), render_settings(settings_of(*record, place, key_file))));
  TRY(sync_folder(paths.root));
  return paths;
}

}  // namespace firn::cli
