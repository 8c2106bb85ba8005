// Policies as people write them: "pin=hot skip=nas,s3".
//
//   text  = [ word *( blank word ) ]       blanks before and after are allowed
//   word  = "pin=hot" / "skip=" tier *( "," tier )
//
// Each word at most once. A tier is named as in the volume's settings. No word: the default.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "meta/types.h"

namespace firn::vfs {

// `tiers`: the volume's, nearest first. Empty: the default policy.
std::string policy_text(const meta::Policy& policy, const std::vector<std::string>& tiers);

// What the text names; the rest is absent. kInvalid: it is none, with a message for people.
Result<meta::PolicyChange> parse_policy(std::string_view text, const std::vector<std::string>& tiers);

// What the change makes of the default: all of a policy, whatever it was before.
inline meta::PolicyChange whole_policy(const meta::PolicyChange& change) {
  return {.skip = change.skip.value_or(0), .pinned = change.pinned.value_or(false)};
}

}  // namespace firn::vfs
