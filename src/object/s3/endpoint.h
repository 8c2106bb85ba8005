// Where a service is, as the AWS tools find out.
// Source: "Service-specific endpoints", AWS SDKs and Tools Reference Guide.
#pragma once

#include <string>

#include "base/status.h"

namespace firn::object::s3 {

struct Environment;

// AWS_ENDPOINT_URL_SERVICE, AWS_ENDPOINT_URL, `service`.endpoint_url in the services section that the profile names,
// the profile's endpoint_url; without a slash at the end; "" where none is set. `service` in lower case: "s3", "sts".
// kInvalid: it is not of the form https://host[:port].
Result<std::string> configured_endpoint(const std::string& service, const Environment& environment);

// Amazon's own, of `service` as host names have it: "sts", "portal.sso".
std::string amazon_endpoint(const std::string& service, const std::string& region);

// AWS_REGION, AWS_DEFAULT_REGION, the profile's region, us-east-1.
std::string chosen_region(const Environment& environment);

}  // namespace firn::object::s3
