// Texts in JSON that somebody else has written.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace firn::object::s3 {

// A member of an object; "" where it is no text.
inline std::string json_text(const nlohmann::json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
}

}  // namespace firn::object::s3
