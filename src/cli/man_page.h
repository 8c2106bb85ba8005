// Man pages, made from the tree: firn(1), and firn-COMMAND(1) for each command and subcommand.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/command_tree.h"

namespace firn::cli {

// The page of the command at `path` below `tree`, in the language of groff_man(7); kNotFound: there is no such command.
Result<std::string> man_page(const CommandTree& tree, const std::vector<std::string>& path);

// Writes all of them into `folder`, which is made if need be: "firn.1", "firn-tier-set.1", ...
Status write_man_pages(const CommandTree& tree, const std::string& folder);

}  // namespace firn::cli
