#include "cli/command.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/remote.h"

namespace firn::cli {
namespace {

int print_help(CLI::App& app, const std::vector<std::string>& names) {
  app.clear();  // the help of what was named would be printed otherwise, and that is `help`
  const CLI::App* about = &app;
  for (const std::string& name : names) {
    const auto found = about->get_subcommands([&](const CLI::App* command) { return command->check_name(name); });
    if (found.empty()) return misuse(fmt::format("help: {}: no such command; see: firn help", fmt::join(names, " ")));
    about = found.front();
  }
  std::fputs(about->help().c_str(), stdout);
  return kExitOk;
}

void add_help(Command& firn, CLI::App& app) {
  Command help = firn.add("help", "Describe a command");
  auto names = std::make_shared<std::vector<std::string>>();
  help.value("COMMAND", *names, "The command, and its subcommand where it has some");
  help.runs([&app, names]() -> Result<int> { return print_help(app, *names); });
}

// What is wrong with the command line, and whose help to ask for.
int misused(const CLI::App& app, const CLI::ParseError& error) {
  const auto used = app.get_subcommands();
  const std::string command = used.empty() ? "" : used.front()->get_name();
  return misuse(fmt::format("{}{}; see: firn help{}", command.empty() ? "" : command + ": ", error.what(),
                            command.empty() ? "" : " " + command));
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
  option_->check(CLI::IsMember(std::move(values)));
  return *this;
}

Option& Option::between(int64_t least, int64_t most) {
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
  return {command, chosen_};
}

void Command::needs_subcommand() { app_->require_subcommand(1); }

Option Command::value(const std::string& names, std::string& into, const std::string& help) {
  return Option(app_->add_option(names, into, help));
}

Option Command::value(const std::string& names, std::vector<std::string>& into, const std::string& help) {
  return Option(app_->add_option(names, into, help));
}

Option Command::value(const std::string& names, int64_t& into, const std::string& help) {
  return Option(app_->add_option(names, into, help));
}

Option Command::value(const std::string& names, std::optional<uint32_t>& into, const std::string& help) {
  return Option(app_->add_option(names, into, help));
}

Option Command::flag(const std::string& names, bool& into, const std::string& help) {
  return Option(app_->add_flag(names, into, help));
}

void Command::may_be_remote() {
  RemoteOptions& options = remote_options();
  app_->add_option("--url", options.url, "Ask the server at http[s]://HOST[:7734] (or FIRN_URL)");
  app_->add_option("--ca-file", options.ca_file, "The authority of its certificate, a PEM file");
}

void Command::runs(Action action) {
  app_->callback([chosen = chosen_, action = std::move(action)] { *chosen = action; });
}

int run_command_line(int argc, char** argv, const std::function<void(Command&)>& declare, const std::string& overview,
                     const std::string& version) {
  CLI::App app("firn: a POSIX file system", "firn");
  Action chosen;
  Command firn(&app, &chosen);
  firn.needs_subcommand();
  app.footer(overview);
  app.set_help_flag("-h,--help", "Describe the command");
  app.set_version_flag("--version", version);
  declare(firn);
  add_help(firn, app);
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
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return misused(app, error);
  }
  Result<int> result = chosen();
  if (result) return *result;
  print_error(fmt::format("{}: {}", app.get_subcommands().front()->get_name(), result.error().to_string()));
  return kExitFailure;
}

void print_error(const std::string& message) {
  std::string line = "firn: ";
  for (const char c : message) line += c == '\n' || c == '\r' ? ' ' : c;
  line += '\n';
  std::fputs(line.c_str(), stderr);
}

int misuse(const std::string& message) {
  print_error(message);
  return kExitMisuse;
}

}  // namespace firn::cli
