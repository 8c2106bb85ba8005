#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

namespace firn::cli {
namespace {

constexpr const char* kManual =
    "Prints a script that makes the shell complete commands, options, their values, files and folders.\n\n"
    "For this shell alone:\n\n"
    "  source <(firn completion bash)\n"
    "  source <(firn completion zsh)        (after compinit)\n"
    "  firn completion fish | source\n\n"
    "For good, the script goes into a file of one of these folders; here is what they are for everybody, then for one "
    "user:\n\n"
    "  bash  /usr/share/bash-completion/completions/firn, ~/.local/share/bash-completion/completions/firn\n"
    "  zsh   /usr/share/zsh/vendor-completions/_firn, or _firn in a folder of yours that is in fpath before compinit\n"
    "  fish  /usr/share/fish/vendor_completions.d/firn.fish, ~/.config/fish/completions/firn.fish";

}  // namespace

std::string values_of(const Parameter& parameter) {
  switch (completes(parameter)) {
    case Completes::kChoices:
      return fmt::to_string(fmt::join(parameter.choices, " "));
    case Completes::kFiles:
      return "@files";
    case Completes::kFolders:
      return "@folders";
    case Completes::kCommands:
      return "@commands";
    case Completes::kNothing:
      break;
  }
  return "";
}

std::string shell_word(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

void add_completion(Command& firn, std::function<CommandTree()> tree) {
  Command command = firn.add("completion", "Print a script that completes commands in a shell", kManual);
  auto shell = std::make_shared<std::string>();
  command.value("SHELL", *shell, "The shell").required().one_of({"bash", "zsh", "fish"});
  command.without_json("it prints a script");
  command.runs([shell, tree = std::move(tree)]() -> Result<int> {
    const auto print = *shell == "bash" ? bash_completion : *shell == "zsh" ? zsh_completion : fish_completion;
    std::fputs(print(tree()).c_str(), stdout);
    return kExitOk;
  });
}

}  // namespace firn::cli
