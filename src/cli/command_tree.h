// cli::CommandTree: what the command line understands, as data. Completions and man pages are made from it, and it from
// what the commands declared (command.cc), so that nothing is written twice.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace firn::cli {

// An option, which has names, or a positional argument, which has none.
struct Parameter {
  std::vector<std::string> names;    // "-m", "--mode"
  std::string value;                 // what its value is called: "PATH"; a flag has none
  std::string help;                  // one line
  std::vector<std::string> choices;  // all that its value may be; without them anything
  std::string range;                 // "1 to 3600", of a number
  bool required = false;
  bool repeats = false;
};

struct CommandTree {
  std::string name, brief, manual;  // as Command::add() was told
  std::vector<Parameter> options, arguments;
  std::vector<CommandTree> commands;
};

// What a shell offers as a value.
enum class Completes { kNothing, kChoices, kFiles, kFolders, kCommands };

// What the value is called says it: FILE, FOLDER, VOLUME, ...
Completes completes(const Parameter& parameter);

// Calls `visit` with each command, the parents first, and its path: "" for the program itself, then such as "tier set".
void walk(const CommandTree& tree, const std::function<void(const std::string& path, const CommandTree&)>& visit);

// The command at `path` below `tree`; null where there is none.
const CommandTree* find(const CommandTree& tree, const std::vector<std::string>& path);

// `path` with one more name.
std::string below(const std::string& path, const std::string& name);

}  // namespace firn::cli
