// A function that knows each command's words, made from the tree, and one that finds out where the cursor is.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace firn::cli {
namespace {

constexpr const char* kHead = R"(# Completion of firn for bash, as printed by: firn completion bash

# The subcommands, the options, and the options with a value of the command $1: variables of the caller.
_firn_words() {
  commands='' options='' valued=''
  case $1 in
)";

constexpr const char* kBetween = R"(  esac
}

# What the value of $2, an option or an argument's number, of the command $1 may be: the caller's `takes`.
_firn_takes() {
  takes=''
  case "$1 $2" in
)";

// bash takes "--option=value", "name:/path" and URLs apart at "=" and ":".
constexpr const char* kTail = R"(  esac
}

_firn() {
  local commands options valued takes path='' named='' pending='' count=1 i word
  local current=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  _firn_words ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == :* ]]; then
      ((i++))
    elif [[ $pending ]]; then
      [[ $word == = ]] || pending=''
    elif [[ $word == -* ]]; then
      [[ " $valued " == *" $word "* ]] && pending=$word
    elif [[ " $commands " == *" $word "* ]]; then
      path=${path:+$path }$word
      _firn_words "$path"
    else
      named=${named:+$named }$word
      ((count++))
    fi
  done
  [[ $current == :* || ${COMP_WORDS[COMP_CWORD - 1]} == : ]] && return
  [[ $current == = ]] && current=''
  if [[ $pending ]]; then
    _firn_takes "$path" "$pending"
  elif [[ $current == -* ]]; then
    takes=$options
  elif [[ $commands ]]; then
    takes=$commands
  else
    _firn_takes "$path" "$count"
  fi
  case $takes in
    @files) compopt -o default ;;
    @folders) compopt -o dirnames ;;
    @commands)
      _firn_words "$named"
      COMPREPLY=($(compgen -W "$commands" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$takes" -- "$current")) ;;
  esac
}

complete -F _firn firn
)";

std::string words_of(const std::string& path, const CommandTree& command) {
  std::vector<std::string> commands, options, valued;
  for (const CommandTree& one : command.commands) commands.push_back(one.name);
  for (const Parameter& option : command.options) {
    options.insert(options.end(), option.names.begin(), option.names.end());
    if (!option.value.empty()) valued.insert(valued.end(), option.names.begin(), option.names.end());
  }
  return fmt::format("    {})\n      commands={} options={}\n      valued={} ;;\n", shell_word(path),
                     shell_word(fmt::to_string(fmt::join(commands, " "))),
                     shell_word(fmt::to_string(fmt::join(options, " "))),
                     shell_word(fmt::to_string(fmt::join(valued, " "))));
}

std::string takes_of(const std::string& path, const CommandTree& command) {
  std::string out;
  const auto add = [&](const std::string& patterns, const Parameter& parameter) {
    if (const std::string values = values_of(parameter); !values.empty())
      out += fmt::format("    {}) takes={} ;;\n", patterns, parameter.choices.empty() ? values : shell_word(values));
  };
  for (const Parameter& option : command.options) {
    std::vector<std::string> patterns;
    for (const std::string& name : option.names) patterns.push_back(shell_word(path + " " + name));
    add(fmt::to_string(fmt::join(patterns, " | ")), option);
  }
  for (size_t i = 0; i < command.arguments.size(); ++i)
    add(shell_word(fmt::format("{} {}", path, command.arguments[i].repeats ? "" : std::to_string(i + 1))) +
            (command.arguments[i].repeats ? "[0-9]*" : ""),
        command.arguments[i]);
  return out;
}

}  // namespace

std::string bash_completion(const CommandTree& tree) {
  std::string words, takes;
  walk(tree, [&](const std::string& path, const CommandTree& command) {
    words += words_of(path, command);
    takes += takes_of(path, command);
  });
  return kHead + words + kBetween + takes + kTail;
}

}  // namespace firn::cli
