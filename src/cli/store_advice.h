// What to do about a store that cannot be used, for the end of a message.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/place.h"

namespace firn::cli {

// "; make the bucket first, ..."; "" where nothing is known that helps.
std::string advice_on(const Status& why, const Place& place);
// "tier NAME: why; what to do".
Status explained(const Status& why, const Place& place);

}  // namespace firn::cli
