#include "cli/command.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/man_page.h"
#include "cli/remote.h"

namespace firn::cli {

// What is declared while the command line is built.
struct Declared {
  struct Values {
    std::vector<std::string> choices;
    std::string range;
  };
  Action chosen;  // of the command that the command line names
  std::map<const CLI::Option*, Values> values;
};

namespace {

constexpr const char* kJsonFlag = "--json";

Parameter parameter_of(const CLI::Option& option, const Declared& declared) {
  Parameter out{.help = option.get_description(),
                .required = option.get_required(),
                .repeats = option.get_items_expected_max() > 1};
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  if (option.get_positional())
    out.value = option.get_name();
  else if (option.get_items_expected_max() > 0)
    out.value = option.get_type_name().substr(0, option.get_type_name().find(':'));  // what it is checked for follows
  if (const auto values = declared.values.find(&option); values != declared.values.end()) {
    out.choices = values->second.choices;
    out.range = values->second.range;
  }
  return out;
}

CommandTree tree_of(const CLI::App& app, const Declared& declared) {
  CommandTree tree{.name = app.get_name(), .brief = app.get_description(), .manual = app.get_footer()};
  for (const CLI::Option* option : app.get_options())
    (option->get_positional() ? tree.arguments : tree.options).push_back(parameter_of(*option, declared));
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    tree.commands.push_back(tree_of(*command, declared));
  return tree;
}

struct HelpArguments {
  std::vector<std::string> names;
  bool man = false;
  std::string folder;
};

constexpr const char* kHelpManual =
    "Without COMMAND, lists the commands. A man page is in the language of man(1):\n\n"
    "  firn help --man tier set | man -l -";

int print_help(CLI::App& app, const std::vector<std::string>& names) {
  app.clear();  // the help of what was named would be printed otherwise, and that is `help`; no command is chosen then
  const CLI::App* about = &app;
  for (const std::string& name : names) {
    const auto found = about->get_subcommands([&](const CLI::App* command) { return command->check_name(name); });
    if (found.empty()) return misuse(fmt::format("help: {}: no such command; see: firn help", fmt::join(names, " ")));
    about = found.front();
  }
  std::fputs(about->help().c_str(), stdout);
  return kExitOk;
}

Result<int> help(CLI::App& app, const Declared& declared, const HelpArguments& arguments) {
  if (!arguments.folder.empty()) {
    TRY(write_man_pages(tree_of(app, declared), arguments.folder));
    return kExitOk;
  }
  if (!arguments.man) return print_help(app, arguments.names);
  const Result<std::string> page = man_page(tree_of(app, declared), arguments.names);
  if (!page) return misuse(page.error().message());
  std::fputs(page->c_str(), stdout);
  return kExitOk;
}

void add_help(Command& firn, CLI::App& app, const Declared& declared) {
  Command command = firn.add("help", "Describe a command", kHelpManual);
  auto arguments = std::make_shared<HelpArguments>();
  const Option names = command.value("COMMAND", arguments->names, "The command, and its subcommand where it has some");
  const Option man = command.flag("--man", arguments->man, "Print it as a man page");
  command.value("--man-pages", arguments->folder, "Write a man page of every command into a folder")
      .called("FOLDER")
      .excludes(names)
      .excludes(man);
  command.without_json("it prints text for people, and man pages");
  command.runs([&app, &declared, arguments] { return help(app, declared, *arguments); });
}

// What is wrong with the command line, and whose help to ask for.
int misused(const CLI::App& app, const CLI::ParseError& error) {
  const auto used = app.get_subcommands();
  const std::string command = used.empty() ? "" : used.front()->get_name();
  return misuse(fmt::format("{}{}; see: firn help{}", command.empty() ? "" : command + ": ", error.what(),
                            command.empty() ? "" : " " + command));
}

// Whoever reads it, as `head` does, may have had enough: that ends the command without a word.
Result<int> output_failed(int error) {
  if (error == EPIPE) return kExitFailure;
  return fail(Status::from_errno(error, "standard output"));
}

// The JSON parser's library throws where a value is not of the type that it is asked for, {fmt} where it cannot write.
Result<int> perform(const Action& action) {
  try {
    Result<int> result = action();
    // What failed before is remembered, but not why: most likely as it does now.
    if (result && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)) return output_failed(errno);
    return result;
  } catch (const nlohmann::json::exception& error) {
    return fail(Code::kIo, fmt::format("the daemon's answer makes no sense: {}", error.what()));
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) == 0) throw;
    return output_failed(error.code().value());
  }
}

// Takes the name, for `help` forgets which command was named.
int run_chosen(const std::string& name, const Action& action) {
  const Result<int> result = perform(action);
  if (result) return *result;
  print_failure(name, result.error());
  return kExitFailure;
}

// Before it is known what the command is: what cannot be parsed is told as JSON, too.
bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (std::string_view(argv[i]) == kJsonFlag) return true;
  return false;
}

}  // namespace

Option& Option::called(const std::string& type_name) {
  option_->type_name(type_name);
  return *this;
}

Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::one_of(std::vector<std::string> values) {
  declared_->values[option_].choices = values;
  option_->check(CLI::IsMember(std::move(values)));
  return *this;
}

Option& Option::between(int64_t least, int64_t most) {
  declared_->values[option_].range = fmt::format("{} to {}", least, most);
  option_->check(CLI::Range(least, most));
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::one_at_a_time() {
  option_->allow_extra_args(false);
  return *this;
}

Command Command::add(const std::string& name, const std::string& brief, const std::string& manual) {
  CLI::App* command = app_->add_subcommand(name, brief);
  command->footer(manual);
  return {command, declared_};
}

void Command::needs_subcommand() { app_->require_subcommand(1); }

Option Command::value(const std::string& names, std::string& into, const std::string& help) {
  return {app_->add_option(names, into, help), declared_};
}

Option Command::value(const std::string& names, std::vector<std::string>& into, const std::string& help) {
  return {app_->add_option(names, into, help), declared_};
}

Option Command::value(const std::string& names, int64_t& into, const std::string& help) {
  return {app_->add_option(names, into, help), declared_};
}

Option Command::value(const std::string& names, std::optional<uint32_t>& into, const std::string& help) {
  return {app_->add_option(names, into, help), declared_};
}

Option Command::flag(const std::string& names, bool& into, const std::string& help) {
  return {app_->add_flag(names, into, help), declared_};
}

Option Command::json(bool& into, const std::string& help) { return flag(kJsonFlag, into, help); }

void Command::without_json(const std::string& reason) {
  const std::string manual = app_->get_footer();
  app_->footer(fmt::format("{}{}It has no {}: {}.", manual, manual.empty() ? "" : "\n\n", kJsonFlag, reason));
}

void Command::may_be_remote() {
  RemoteOptions& options = remote_options();
  app_->add_option("--url", options.url, "Ask the server at http[s]://HOST[:7734] (or FIRN_URL)");
  app_->add_option("--volume", options.volume, "Ask the server on the network that has this volume, by name or id");
  app_->add_option("--ca-file", options.ca_file, "The authority of its certificate, a PEM file (or FIRN_CA_FILE)")
      ->type_name("FILE");
}

void Command::runs(Action action) {
  app_->callback([declared = declared_, action = std::move(action)] { declared->chosen = action; });
}

int run_command_line(int argc, char** argv, const std::function<void(Command&)>& declare, const std::string& overview,
                     const std::string& version) {
  CLI::App app("A POSIX file system", "firn");
  Declared declared;
  Command firn(&app, &declared);
  firn.needs_subcommand();
  app.footer(overview);
  app.set_help_flag("-h,--help", "Describe the command");
  app.set_version_flag("--version", version);
  declare(firn);
  add_completion(firn, [&] { return tree_of(app, declared); });
  add_help(firn, app, declared);
  if (asks_for_json(argc, argv)) print_errors_as_json();
  if (argc < 2) {
    std::fputs(app.help().c_str(), stderr);
    return kExitMisuse;
  }
  const auto is_named = [&](const CLI::App* command) { return command->check_name(argv[1]); };
  if (argv[1][0] != '-' && app.get_subcommands(is_named).empty())
    return misuse(fmt::format("{}: no such command; see: firn help", argv[1]));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    std::ostringstream text;
    app.exit(success, text, text);
    return run_chosen("help", [&text]() -> Result<int> {
      std::fputs(text.str().c_str(), stdout);
      return kExitOk;
    });
  } catch (const CLI::ParseError& error) {
    return misused(app, error);
  }
  return run_chosen(app.get_subcommands().front()->get_name(), declared.chosen);
}

}  // namespace firn::cli
