// Reads a tree as a user would.
#pragma once

#include <string>
#include <vector>

#include "ledger.h"

namespace firn::crash {

// Every node below `root` by its path relative to it. Problems (unreadable folders, entries whose stat fails or
// disagrees with readdir) are appended to `wrong`.
FoundTree scan_tree(const std::string& root, std::vector<std::string>& wrong);

bool read_whole(const std::string& path, std::vector<std::byte>& content);

}  // namespace firn::crash
