// Forms, as requests carry them.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace firn::object::s3 {

// "a=1&b=2"; all but unreserved characters is %XX. Source: RFC 3986; "application/x-www-form-urlencoded", WHATWG URL.
std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace firn::object::s3
