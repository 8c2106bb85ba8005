// As for bash; fish shows what a word means beside it, and asks a function for all that may follow.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion.h"

namespace firn::cli {
namespace {

constexpr const char* kHead = R"(# Completion of firn for fish, as printed by: firn completion fish

# The subcommands and options (a tab, then what they mean), and the options with a value, of the command $argv[1]:
# variables of the caller.
function __firn_words --no-scope-shadowing
    set commands
    set options
    set valued
    switch $argv[1]
)";

constexpr const char* kBetween = R"(    end
end

# What the value of $argv[2], an option or an argument's number, of the command $argv[1] may be.
function __firn_takes
    switch "$argv[1] $argv[2]"
)";

constexpr const char* kTail = R"(    end
end

# All that may follow, or @files, or @folders.
function __firn_here
    set -l commands
    set -l options
    set -l valued
    set -l path
    set -l named
    set -l pending
    __firn_words ''
    for word in (commandline -opc)[2..]
        if test -n "$pending"
            set pending
        else if string match -q -- '-*' $word
            contains -- $word $valued; and set pending $word
        else if set -q commands[1]; and string match -q -- $word\t'*' $commands
            set -a path $word
            __firn_words "$path"
        else
            set -a named $word
        end
    end
    set -l current (commandline -ct)
    set -l before
    if test -z "$pending"; and string match -q -- '--*=*' "$current"
        set -l parts (string split -m 1 = -- $current)
        set pending $parts[1]
        set before "$pending="
    end
    set -l takes
    if test -n "$pending"
        set takes (__firn_takes "$path" $pending)
    else if string match -q -- '-*' "$current"
        set takes $options
    else if set -q commands[1]
        set takes $commands
    else
        set takes (__firn_takes "$path" (math (count $named) + 1))
    end
    if test "$takes" = @commands
        __firn_words "$named"
        set takes $commands
    end
    for word in $takes
        contains -- $word @files @folders; or set word "$before$word"
        echo $word
    end
end

function __firn_complete
    set -l takes (__firn_here)
    switch "$takes"
        case '' @files
        case @folders
            __fish_complete_directories (commandline -ct) ''
        case '*'
            printf '%s\n' $takes
    end
end

complete -c firn -f -a '(__firn_complete)'
complete -c firn -n 'contains @files (__firn_here)' -F
)";

std::string fish_word(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string set(const char* variable, const std::vector<std::string>& words) {
  if (words.empty()) return "";
  std::string out = fmt::format("            set {}", variable);
  for (const std::string& word : words) out += " \\\n                " + fish_word(word);
  return out + "\n";
}

std::string words_of(const std::string& path, const CommandTree& command) {
  std::vector<std::string> commands, options, valued;
  for (const CommandTree& one : command.commands) commands.push_back(one.name + "\t" + one.brief);
  for (const Parameter& option : command.options) {
    for (const std::string& name : option.names) options.push_back(name + "\t" + option.help);
    if (!option.value.empty()) valued.insert(valued.end(), option.names.begin(), option.names.end());
  }
  return fmt::format("        case {}\n", fish_word(path)) + set("commands", commands) + set("options", options) +
         set("valued", valued);
}

std::string takes_of(const std::string& path, const CommandTree& command) {
  std::string out;
  const auto add = [&](const std::string& patterns, const Parameter& parameter) {
    if (const std::string values = values_of(parameter); !values.empty())
      out += fmt::format("        case {}\n            printf '%s\\n' {}\n", patterns, values);
  };
  for (const Parameter& option : command.options) {
    std::vector<std::string> patterns;
    for (const std::string& name : option.names) patterns.push_back(fish_word(path + " " + name));
    add(fmt::to_string(fmt::join(patterns, " ")), option);
  }
  for (size_t i = 0; i < command.arguments.size(); ++i) {
    const std::string number = command.arguments[i].repeats ? "*" : std::to_string(i + 1);
    add(fish_word(path + " " + number), command.arguments[i]);
  }
  return out;
}

}  // namespace

std::string fish_completion(const CommandTree& tree) {
  std::string words, takes;
  walk(tree, [&](const std::string& path, const CommandTree& command) {
    words += words_of(path, command);
    takes += takes_of(path, command);
  });
  return kHead + words + kBetween + takes + kTail;
}

}  // namespace firn::cli
