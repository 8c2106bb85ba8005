#include "cli/command_tree.h"

#include <algorithm>
#include <map>

namespace firn::cli {
namespace {

void walk_from(const std::string& path, const CommandTree& tree,
               const std::function<void(const std::string& path, const CommandTree&)>& visit) {
  visit(path, tree);
  for (const CommandTree& command : tree.commands) walk_from(below(path, command.name), command, visit);
}

}  // namespace

Completes completes(const Parameter& parameter) {
  static const std::map<std::string, Completes> kByName = {
      {"FILE", Completes::kFiles},     {"PATH", Completes::kFiles},      {"SOURCE", Completes::kFiles},
      {"FROM", Completes::kFiles},     {"TO", Completes::kFiles},        {"FOLDER", Completes::kFolders},
      {"VOLUME", Completes::kFolders}, {"URL", Completes::kFolders},     {"MOUNTPOINT", Completes::kFolders},
      {"TARGET", Completes::kFiles},   {"COMMAND", Completes::kCommands}};
  if (!parameter.choices.empty()) return Completes::kChoices;
  const auto found = kByName.find(parameter.value);
  return found == kByName.end() ? Completes::kNothing : found->second;
}

void walk(const CommandTree& tree, const std::function<void(const std::string& path, const CommandTree&)>& visit) {
  walk_from("", tree, visit);
}

const CommandTree* find(const CommandTree& tree, const std::vector<std::string>& path) {
  const CommandTree* at = &tree;
  for (const std::string& name : path) {
    const auto found = std::ranges::find(at->commands, name, &CommandTree::name);
    if (found == at->commands.end()) return nullptr;
    at = &*found;
  }
  return at;
}

std::string below(const std::string& path, const std::string& name) { return path.empty() ? name : path + " " + name; }

}  // namespace firn::cli
