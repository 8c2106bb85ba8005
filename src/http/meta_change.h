// What PATCH /v1/meta is asked to change.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "meta/service.h"

namespace firn::http {

struct MetaChange {
  meta::SetAttr attributes;
  bool sets_attributes = false;  // any of them
  // In order of their names; without a value: removed.
  std::vector<std::pair<std::string, std::optional<std::string>>> xattrs;
};

// A JSON object, as a merge patch (RFC 7396): any of "mode" (octal text), "uid", "gid", "atime", "mtime" (seconds since
// 1970, as text or number, or "now"), and "xattrs": each a text, {"base64": text}, or null to remove it. kInvalid names
// the member that is not understood. Safe for any bytes.
Result<MetaChange> parse_meta_change(std::string_view text);

}  // namespace firn::http
