// Attributes as the API shows them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "meta/types.h"

namespace firn::http {

// Seconds with nine decimals.
std::string text_of(Timestamp time);

// {"inode", "type", "mode" (octal text), "nlink", "uid", "gid", "size", "allocated", "atime", "mtime", "ctime",
// "btime"}; times are seconds with nine decimals, as text: a JSON number would lose nanoseconds.
nlohmann::json json_of(const meta::Attr& attr);

// Names are any bytes; JSON is UTF-8. "name" is the name with each bad byte replaced, and where that loses something
// "name_hex" holds the bytes.
void put_name(nlohmann::json& object, std::string_view name);

// The same of any other text that may hold any bytes: "target", and "target_hex".
void put_text(nlohmann::json& object, const std::string& member, std::string_view text);

bool is_utf8(std::string_view text);
// The text, or {"base64": ...} where it is no UTF-8.
nlohmann::json json_of_bytes(std::string_view bytes);

std::string dump_json(const nlohmann::json& value);

}  // namespace firn::http
