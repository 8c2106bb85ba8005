#include "vfs/policy.h"

#include <algorithm>

namespace firn::vfs {

namespace {

constexpr std::string_view kPin = "pin=", kSkip = "skip=", kHot = "hot", kBlanks = " \t\r\n";

// Up to the next of `separators`, which goes as well.
std::string_view take_until(std::string_view& rest, std::string_view separators) {
  const size_t end = rest.find_first_of(separators);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

Result<uint32_t> parse_skip(std::string_view names, const std::vector<std::string>& tiers) {
  uint32_t skip = 0;
  for (bool more = true; more;) {
    more = names.find(',') != std::string_view::npos;
    const std::string_view name = take_until(names, ",");
    const auto found = std::ranges::find(tiers, name);
    if (found == tiers.end())
      return fail(Code::kInvalid, "the volume has no tier \"" + std::string(name) + "\"; it has " + joined(tiers));
    skip |= uint32_t{1} << (found - tiers.begin());
  }
  return skip == (uint32_t{1} << tiers.size()) - 1 ? meta::kEveryTier : skip;
}

}  // namespace

std::string policy_text(const meta::Policy& policy, const std::vector<std::string>& tiers) {
  std::string names;
  for (size_t i = 0; i < tiers.size(); ++i)
    if ((policy.skip >> i & 1) != 0) names += (names.empty() ? "" : ",") + tiers[i];
  std::string text = policy.pinned ? std::string(kPin) + std::string(kHot) : "";
  if (!names.empty()) text += (text.empty() ? "" : " ") + std::string(kSkip) + names;
  return text;
}

Result<meta::PolicyChange> parse_policy(std::string_view text, const std::vector<std::string>& tiers) {
  meta::PolicyChange change;
  while (!text.empty()) {
    std::string_view word = take_until(text, kBlanks);
    if (word.empty()) continue;
    if (word.starts_with(kPin) && !change.pinned) {
      if (word.substr(kPin.size()) != kHot)
        return fail(Code::kInvalid, "files are pinned to hot, the local disk, and to nothing else");
      change.pinned = true;
    } else if (word.starts_with(kSkip) && !change.skip) {
      change.skip = TRY(parse_skip(word.substr(kSkip.size()), tiers));
    } else {
      return fail(Code::kInvalid, "a policy is pin=hot, skip=TIER,TIER, both, or nothing; not: " + std::string(word));
    }
  }
  return change;
}

}  // namespace firn::vfs
