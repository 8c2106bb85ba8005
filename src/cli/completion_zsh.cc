// A function per command, which tells _arguments what the command takes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace firn::cli {
namespace {

constexpr const char* kHead = R"(#compdef firn
# Completion of firn for zsh, as printed by: firn completion zsh

)";

// Autoloaded, the file is the function's body; sourced, it registers the function.
constexpr const char* kTail = R"(
if [[ $funcstack[1] == _firn ]]; then
  _firn "$@"
else
  compdef _firn firn
fi
)";

// "_firn", "_firn_tier_set".
std::string function_of(const std::string& path) {
  std::string name = path.empty() ? "_firn" : "_firn_" + path;
  for (char& c : name)
    if (c == ' ') c = '_';
  return name;
}

// `text` where a colon or a bracket would end it.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string action_of(const Parameter& parameter) {
  switch (completes(parameter)) {
    case Completes::kChoices:
      return fmt::format("({})", fmt::join(parameter.choices, " "));
    case Completes::kFiles:
      return "_files";
    case Completes::kFolders:
      return "_files -/";
    case Completes::kCommands:
      return "_firn__about";
    case Completes::kNothing:
      break;
  }
  return " ";
}

std::string option_specs(const Parameter& option) {
  const std::string before = option.repeats ? "*" : fmt::format("({})", fmt::join(option.names, " "));
  std::string out;
  for (const std::string& name : option.names) {
    const char* const joined = option.value.empty() ? "" : name.starts_with("--") ? "=" : "+";
    std::string spec = fmt::format("{}{}{}[{}]", before, name, joined, escaped(option.help));
    if (!option.value.empty()) spec += fmt::format(":{}:{}", escaped(option.value), action_of(option));
    out += " \\\n    " + shell_word(spec);
  }
  return out;
}

std::string argument_specs(const CommandTree& command) {
  std::string out;
  for (size_t i = 0; i < command.arguments.size(); ++i) {
    const Parameter& argument = command.arguments[i];
    out += " \\\n    " + shell_word(fmt::format("{}:{}:{}", argument.repeats ? "*" : std::to_string(i + 1),
                                                escaped(argument.value), action_of(argument)));
  }
  return out;
}

std::string descriptions(const CommandTree& command) {
  std::string out;
  for (const CommandTree& one : command.commands)
    out += fmt::format(" \\\n        {}", shell_word(escaped(one.name) + ":" + one.brief));
  return out;
}

// The part that goes on with a command's subcommands.
std::string dispatch(const std::string& path, const CommandTree& command) {
  std::string out = fmt::format(
      "  case $state in\n"
      "    command)\n      commands=({})\n      _describe -t commands 'firn command' commands ;;\n"
      "    arguments)\n      case $line[1] in\n",
      descriptions(command));
  for (const CommandTree& one : command.commands)
    out += fmt::format("        {}) {} ;;\n", one.name, function_of(below(path, one.name)));
  return out + "      esac ;;\n  esac\n";
}

std::string function_for(const std::string& path, const CommandTree& command) {
  std::string options;
  for (const Parameter& option : command.options) options += option_specs(option);
  const std::string head = function_of(path) + "() {\n";
  if (command.commands.empty())
    return fmt::format("{}  _arguments -s{}{}\n}}\n\n", head, options, argument_specs(command));
  return fmt::format(
      "{}  local curcontext=$curcontext state line\n  local -a commands\n"
      "  _arguments -s -C{} \\\n    '1:command:->command' '*::argument:->arguments'\n{}}}\n\n",
      head, options, dispatch(path, command));
}

// For `firn help`, whose arguments are a command's path.
std::string about(const CommandTree& tree) {
  std::string out = "_firn__about() {\n  local -a commands\n  case ${(j: :)${(@)words[2,CURRENT-1]:#-*}} in\n";
  walk(tree, [&](const std::string& path, const CommandTree& command) {
    if (!command.commands.empty())
      out += fmt::format("    {})\n      commands=({}) ;;\n", shell_word(path), descriptions(command));
  });
  return out + "  esac\n  _describe -t commands 'firn command' commands\n}\n\n";
}

}  // namespace

std::string zsh_completion(const CommandTree& tree) {
  std::string functions;
  walk(tree, [&](const std::string& path, const CommandTree& command) { functions += function_for(path, command); });
  return kHead + functions + about(tree) + kTail;
}

}  // namespace firn::cli
