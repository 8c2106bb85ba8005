// The OpenAPI 3.1 document of the API: openapi.json, as it was when this was built.
#pragma once

#include <string_view>

namespace firn::http {

extern const std::string_view kOpenApi;

}  // namespace firn::http
