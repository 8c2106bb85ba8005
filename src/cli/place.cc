#include "cli/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "object/s3/s3_store.h"
#include "tier/tier.h"

namespace firn::cli {
namespace {

constexpr size_t kMaxNameBytes = 32;
constexpr std::string_view kBucketScheme = "s3://", kFileScheme = "file://";
constexpr std::array<std::string_view, 4> kBucketOptions = {"endpoint", "region", "profile", "path_style"};

// What cannot stand in one line of firn.toml, or would confuse whoever reads a message.
bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// "s3:/bucket": a scheme, and not all that comes behind one.
bool lacks_a_slash(std::string_view url) {
  const size_t colon = url.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789");
  return colon != std::string_view::npos && colon > 0 && url.substr(colon).starts_with(":/");
}

Status check_name(std::string_view name) {
  const bool allowed =
      std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (name.empty() || name.size() > kMaxNameBytes || !allowed)
    return Status(Code::kInvalid,
                  fmt::format("\"{}\" is not a tier's name; give 1 to 32 of a-z, 0-9 and -, {}", name, kPlaceExamples));
  if (name == kLocalDisk)
    return Status(Code::kInvalid, "\"hot\" is the name of the local disk; give the tier another one");
  return {};
}

Status read_options(std::string_view query, Place& place) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view option = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(option.find('='), option.size());
    const std::string_view key = option.substr(0, equals);
    const std::string_view value = option.substr(std::min(equals + 1, option.size()));
    if (value.empty() || std::ranges::find(kBucketOptions, key) == kBucketOptions.end())
      return Status(Code::kInvalid, fmt::format("{}: \"{}\" is not an option of a bucket; give endpoint=URL, "
                                                "region=NAME, profile=NAME or path_style=yes|no",
                                                place.url, option));
    if (key == "path_style" && value != "yes" && value != "no")
      return Status(Code::kInvalid, fmt::format("{}: path_style is yes or no", place.url));
    place.options[std::string(key)] = value;
  }
  return {};
}

Status read_bucket(Place& place) {
  const size_t query = std::min(place.url.find('?'), place.url.size());
  place.kind = Place::Kind::kBucket;
  place.where = place.url.substr(0, query);
  TRY(read_options(std::string_view(place.url).substr(std::min(query + 1, place.url.size())), place));
  // Neither the environment nor anybody's files say whether a URL is one.
  object::s3::Environment nothing{
      .variables = {{"AWS_SHARED_CREDENTIALS_FILE", "/dev/null"}, {"AWS_CONFIG_FILE", "/dev/null"}}};
  if (place.options.contains("endpoint")) nothing.variables["AWS_ENDPOINT_URL"] = place.options["endpoint"];
  TRY(object::s3_options(place.where, nothing));
  while (place.where.ends_with('/')) place.where.pop_back();
  return {};
}

Status read_folder(Place& place) {
  std::string path = place.url;
  if (path.starts_with(kFileScheme)) {
    path = path.substr(kFileScheme.size());
    if (!path.starts_with('/'))
      return Status(
          Code::kInvalid,
          fmt::format("{} names another machine; give file:///folder, of a share that is mounted here", place.url));
  }
  path = std::filesystem::path(path).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (path == "/")
    return Status(Code::kInvalid, "the root folder cannot be a tier; give a folder of its own, /mnt/nas/firn");
  place.kind = Place::Kind::kFolder;
  place.url = place.where = path;
  return {};
}

Result<Place> parse(std::string_view text, const std::string& working_folder) {
  const size_t equals = text.find('=');
  // An '=' after a slash is a part of a URL that has no name before it.
  if (equals == std::string_view::npos || text.substr(0, equals).find('/') != std::string_view::npos)
    return fail(Code::kInvalid, fmt::format("\"{}\" is not of the form NAME=URL, {}", text, kPlaceExamples));
  Place place{.name = std::string(text.substr(0, equals)), .url = std::string(text.substr(equals + 1))};
  TRY(check_name(place.name));
  if (place.url.empty())
    return fail(Code::kInvalid, fmt::format("{}: the URL is missing; give one, {}", text, kPlaceExamples));
  if (has_control_characters(place.url))
    return fail(Code::kInvalid, fmt::format("{}: its URL has line breaks or other control characters", place.name));
  if (place.url.starts_with(kBucketScheme)) {
    TRY(read_bucket(place));
    return place;
  }
  const bool absolute = place.url.starts_with('/') || place.url.starts_with(kFileScheme);
  if (!absolute && (place.url.find("://") != std::string::npos || lacks_a_slash(place.url)))
    return fail(Code::kInvalid,
                fmt::format("{} is neither a bucket nor a folder; give s3://bucket/prefix or /folder", place.url));
  if (!absolute && working_folder.empty())
    return fail(Code::kInvalid,
                fmt::format("{} is a relative path; give an absolute one, {}", place.url, kPlaceExamples));
  if (!absolute) place.url = working_folder + "/" + place.url;
  TRY(read_folder(place));
  return place;
}

}  // namespace

Result<Place> parse_place(std::string_view text) { return parse(text, ""); }

Result<Place> parse_place_here(std::string_view text) {
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  if (error) return fail(Status::from_errno(error.value(), "the working directory"));
  return parse(text, here.string());
}

Result<std::vector<Place>> parse_places(const std::vector<std::string>& texts) {
  if (texts.size() > tier::kMaxTiers)
    return fail(Code::kInvalid, fmt::format("{} tiers are too many; give at most {}", texts.size(), tier::kMaxTiers));
  std::vector<Place> places;
  for (const std::string& text : texts) {
    Place place = TRY(parse_place(text));
    for (const Place& other : places) {
      if (other.name == place.name)
        return fail(Code::kInvalid, fmt::format("two tiers have the name {}; give each its own", place.name));
      if (other.url == place.url)
        return fail(Code::kInvalid,
                    fmt::format("the tiers {} and {} are the same place, {}", other.name, place.name, place.url));
    }
    places.push_back(std::move(place));
  }
  return places;
}

}  // namespace firn::cli
