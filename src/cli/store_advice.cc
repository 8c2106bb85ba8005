#include "cli/store_advice.h"

#include <fmt/format.h>

namespace firn::cli {

std::string advice_on(const Status& why, const Place& place) {
  const bool bucket = place.kind == Place::Kind::kBucket;
  switch (why.code()) {
    case Code::kNoDevice:
      return bucket ? "; make the bucket first, or look at its name, region and endpoint" : "";
    case Code::kAccessDenied:
      return bucket ? "; look at the credentials (environment, ~/.aws) and at what they allow"
                    : "; the user who runs firn must be able to write there";
    case Code::kUnavailable:
    case Code::kTimedOut:
      return bucket ? "; look at the endpoint and the network" : "; look at the disk or share";
    case Code::kNotFound:
      return bucket ? "" : "; make the folder above it first, or mount its disk or share";
    case Code::kExists:
      return bucket ? "; give each volume a prefix of its own" : "; give each volume an empty folder of its own";
    default:
      return "";
  }
}

Status explained(const Status& why, const Place& place) {
  return Status(why.code(), fmt::format("tier {}: {}{}", place.name, why.to_string(), advice_on(why, place)));
}

}  // namespace firn::cli
