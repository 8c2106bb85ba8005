// Where a backing lies under the store's root, and what is not one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace firn::data::internal {

inline constexpr unsigned kFolders = 256;

// The folder of a backing: the id's low byte.
constexpr unsigned folder_of(BackingId id) { return static_cast<unsigned>(id.value % kFolders); }

// "root/xx".
std::string folder_path(const std::string& root, unsigned folder);
// "root/xx/<16 hex digits>".
std::string backing_path(const std::string& root, BackingId id);
// The id that a file called `name` in `folder` holds; nothing for a foreign or misplaced file, which the store leaves
// alone.
std::optional<BackingId> parse_backing_name(unsigned folder, std::string_view name);

// 16 lower-case hex digits, no more, no less.
std::string hex16(uint64_t value);
std::optional<uint64_t> parse_hex16(std::string_view text);

}  // namespace firn::data::internal
