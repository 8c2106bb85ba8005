// The firn program: parses the command line and runs one command.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <span>

#include "base/failpoint.h"
#include "cli/command.h"
#include "cli/version.h"

namespace firn::cli {
namespace {

constexpr const char* kOverview =
    "A VOLUME is a folder made by firn init. A PATH is a path inside a mounted volume, or VOLUME:/PATH.\n"
    "firn help COMMAND describes a command. Exit codes: 0 done, 1 failed, 2 misuse.";

int print_help(CLI::App& app, const std::vector<std::string>& names) {
  CLI::App* about = &app;
  if (!names.empty()) {
    const auto found = app.get_subcommands([&](CLI::App* command) { return command->check_name(names.front()); });
    about = found.empty() ? nullptr : found.front();
    if (!about) return misuse(fmt::format("help: {}: no such command; see: firn help", names.front()));
  }
  std::fputs(about->help().c_str(), stdout);
  return kExitOk;
}

void add_help(CLI::App& app, Action* chosen) {
  CLI::App& help = add_command(app, "help", "Describe a command", "");
  auto names = std::make_shared<std::vector<std::string>>();
  help.add_option("COMMAND", *names, "The command")->expected(0, 1);
  help.callback(
      [&app, chosen, names] { *chosen = [&app, names]() -> Result<int> { return print_help(app, *names); }; });
}

void build(CLI::App& app, Action* chosen) {
  app.require_subcommand(1);
  app.footer(kOverview);
  app.set_help_flag("-h,--help", "Describe the command");
  app.set_version_flag("--version", version_text());
  for (auto add : {add_init, add_mount, add_umount, add_serve, add_status,  add_fsck,  add_key,
                   add_tier, add_wal,   add_gc,     add_scrub, add_restore, add_bench, add_ls,
                   add_cat,  add_put,   add_rm,     add_stat,  add_mkdir,   add_mv,    add_version})
    add(app, chosen);
  add_help(app, chosen);
}

int run(int argc, char** argv) {
  CLI::App app("firn: a POSIX file system", "firn");
  Action chosen;
  build(app, &chosen);
  if (const Status armed = failpoints::arm_from_environment(); !armed.ok()) return misuse(armed.to_string());
  if (argc < 2) {
    std::fputs(app.help().c_str(), stderr);
    return kExitMisuse;
  }
  const auto is_named = [&](CLI::App* command) { return command->check_name(argv[1]); };
  if (argv[1][0] != '-' && app.get_subcommands(is_named).empty())
    return misuse(fmt::format("{}: no such command; see: firn help", argv[1]));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const auto used = app.get_subcommands();
    const std::string command = used.empty() ? "" : used.front()->get_name();
    return misuse(fmt::format("{}{}; see: firn help{}", command.empty() ? "" : command + ": ", error.what(),
                              command.empty() ? "" : " " + command));
  }
  Result<int> result = chosen();
  if (result) return *result;
  print_error(fmt::format("{}: {}", app.get_subcommands().front()->get_name(), result.error().to_string()));
  return kExitFailure;
}

}  // namespace
}  // namespace firn::cli

int main(int argc, char** argv) {
  // A reader that went away is an error of write(2), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  return firn::cli::run(argc, argv);
}
