// `firn completion`: scripts that make a shell complete firn's command line, one per shell, all of them from the tree.
#pragma once

#include <functional>
#include <string>

#include "cli/command.h"
#include "cli/command_tree.h"

namespace firn::cli {

std::string bash_completion(const CommandTree& tree);
std::string zsh_completion(const CommandTree& tree);
std::string fish_completion(const CommandTree& tree);

// `tree` is asked once the command line has been read: all commands are declared by then.
void add_completion(Command& firn, std::function<CommandTree()> tree);

// What the scripts for bash and fish know of a value: its choices with blanks between them, or "@files", "@folders" or
// "@commands", which they look up; "" when nothing completes it.
std::string values_of(const Parameter& parameter);

// 'TEXT' as bash and zsh read it.
std::string shell_word(const std::string& text);

}  // namespace firn::cli
