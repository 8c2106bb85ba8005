#include "cli/tier_bounds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/bytes.h"
#include "cli/place.h"

namespace firn::cli {

namespace {

const OwnTierSettings kNothingOwn;

const OwnTierSettings& own_of(const TierSettings& settings, std::string_view name) {
  const auto found = std::ranges::find(settings.own, name, &OwnTierSettings::name);
  return found == settings.own.end() ? kNothingOwn : *found;
}

// `common_bytes`: what [tiers] says.
TierBounds bounds_of_one(const TierSettings& settings, std::string_view name, uint64_t common_bytes) {
  const OwnTierSettings& own = own_of(settings, name);
  const auto percent = [](int64_t mine, int64_t common) {
    return static_cast<unsigned>(mine == OwnTierSettings::kAsCommon ? common : mine);
  };
  return {.max_bytes = own.capacity_bytes > 0 ? own.capacity_bytes : common_bytes,
          .high_percent = percent(own.high_watermark_percent, settings.high_watermark_percent),
          .low_percent = percent(own.low_watermark_percent, settings.low_watermark_percent)};
}

bool has_watermarks(const OwnTierSettings& own) {
  return own.high_watermark_percent != OwnTierSettings::kAsCommon ||
         own.low_watermark_percent != OwnTierSettings::kAsCommon;
}

Status wrong_own(const OwnTierSettings& own, std::string_view what) {
  return Status(Code::kInvalid, fmt::format("{}: [tier.{}]: {}", own.where, own.name, what));
}

// tiers.limits ("nas=500GiB"): bytes, 0: no limit.
Result<std::vector<uint64_t>> limits_of(const TierSettings& settings, const std::vector<std::string>& names) {
  std::vector<uint64_t> limits(names.size());
  for (const std::string& text : settings.limits) {
    const auto wrong = [&text](std::string_view what) {
      return fail(Code::kInvalid, fmt::format("tiers.limits: \"{}\": {}", text, what));
    };
    const size_t equals = text.find('=');
    if (equals == std::string::npos) return wrong("is not NAME=SIZE, such as nas=500GiB");
    const auto found = std::ranges::find(names, text.substr(0, equals));
    if (found == names.end()) return wrong("the volume has no tier of that name");
    if (found + 1 == names.end()) return wrong("the last tier keeps everything; only those before it can have a limit");
    const auto bytes = parse_size(text.substr(equals + 1));
    if (!bytes || *bytes == 0) return wrong("is not NAME=SIZE, such as nas=500GiB");
    limits[static_cast<size_t>(found - names.begin())] = *bytes;
  }
  return limits;
}

// Of a colder tier. Without values it is there to be filled in.
Status check_own(const OwnTierSettings& own, const std::vector<std::string>& names,
                 const std::vector<uint64_t>& limits) {
  const auto found = std::ranges::find(names, own.name);
  if (found == names.end())
    return wrong_own(own, fmt::format("the volume has no tier of that name; there are {}",
                                      names.empty() ? "hot" : "hot, " + fmt::format("{}", fmt::join(names, ", "))));
  if (own.capacity_bytes == 0 && !has_watermarks(own)) return {};
  if (found + 1 == names.end())
    return wrong_own(own,
                     "the last tier keeps everything; only hot and the tiers before it have a capacity or watermarks");
  const uint64_t limit = limits[static_cast<size_t>(found - names.begin())];
  if (own.capacity_bytes > 0 && limit > 0)
    return wrong_own(own, "tiers.limits has a limit for it, too; remove one of the two");
  if (own.capacity_bytes == 0 && limit == 0)
    return wrong_own(own, "it has watermarks and no capacity, of which they are percents; set it");
  return {};
}

}  // namespace

Status check_own_tiers(const TierSettings& settings) {
  for (const OwnTierSettings& own : settings.own) {
    const TierBounds bounds = bounds_of_one(settings, own.name, 0);
    if (has_watermarks(own) && bounds.low_percent >= bounds.high_percent)
      return wrong_own(own, fmt::format("low_watermark is {} and high_watermark {}; the low one must be below the high "
                                        "one",
                                        bounds.low_percent, bounds.high_percent));
    if (own.name == kLocalDisk && own.capacity_bytes > 0 && settings.hot_max_bytes > 0)
      return wrong_own(own, "tiers.hot_max is set, too; remove one of the two");
  }
  return {};
}

TierBounds hot_bounds_of(const TierSettings& settings) {
  return bounds_of_one(settings, kLocalDisk, settings.hot_max_bytes);
}

Result<std::vector<TierBounds>> bounds_of(const TierSettings& settings, const std::vector<std::string>& names) {
  const std::vector<uint64_t> limits = TRY(limits_of(settings, names));
  for (const OwnTierSettings& own : settings.own)
    if (own.name != kLocalDisk) TRY(check_own(own, names, limits));
  std::vector<TierBounds> bounds;
  for (size_t i = 0; i < names.size(); ++i) bounds.push_back(bounds_of_one(settings, names[i], limits[i]));
  return bounds;
}

void complete_own_tiers(TierSettings& settings) {
  std::vector<std::string> names;
  for (const std::string& text : settings.stores) names.push_back(text.substr(0, text.find('=')));
  if (!names.empty()) names.back() = kLocalDisk;  // the last has none
  std::ranges::rotate(names, names.end() - std::min<ptrdiff_t>(1, std::ssize(names)));
  for (const std::string& name : names)
    if (&own_of(settings, name) == &kNothingOwn) settings.own.push_back({.name = name});
  for (OwnTierSettings& own : settings.own) {
    const TierBounds bounds = bounds_of_one(settings, own.name, 0);
    own.high_watermark_percent = bounds.high_percent;
    own.low_watermark_percent = bounds.low_percent;
  }
}

std::vector<OwnTierSettings> without_own_values(const TierSettings& settings) {
  std::vector<OwnTierSettings> own;
  for (const OwnTierSettings& one : settings.own)
    own.push_back({.name = one.name,
                   .high_watermark_percent = settings.high_watermark_percent,
                   .low_watermark_percent = settings.low_watermark_percent});
  return own;
}

}  // namespace firn::cli
