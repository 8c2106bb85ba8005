// cli::Command: how a command of the command line is declared: one file per command, each with one function that adds
// it. CLI11 does the parsing and is only seen by command.cc: it takes seconds to compile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/errors.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace firn::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitMisuse = 2;

// What the chosen command does: its exit code, or the failure that is printed as one line.
using Action = std::function<Result<int>()>;

struct Declared;  // see command.cc

// An option, flag or positional argument. Each call returns *this, or misuse results from what it forbids.
class Option {
 public:
  Option(CLI::Option* option, Declared* declared) : option_(option), declared_(declared) {}

  // What the help calls its value; names such as FILE and FOLDER make shells complete it (cli/command_tree.h).
  Option& called(const std::string& type_name);
  Option& required();
  Option& one_of(std::vector<std::string> values);
  Option& between(int64_t least, int64_t most);
  Option& excludes(const Option& other);
  Option& needs(const Option& other);
  // A value for each time that it is named; what follows is the command's next argument.
  Option& one_at_a_time();

 private:
  CLI::Option* option_;
  Declared* declared_;
};

// What is filled in (`into`) must live until the action has run: actions share the ownership of it.
class Command {
 public:
  Command(CLI::App* app, Declared* declared) : app_(app), declared_(declared) {}

  // `brief` is one line for the overview; `manual` is what `firn help NAME` prints below the options.
  Command add(const std::string& name, const std::string& brief, const std::string& manual = "");
  // It is misuse to name this command without one that was added to it.
  void needs_subcommand();

  // `names`: "PATH" for a positional argument, "-m,--mode" for an option. A vector takes several.
  Option value(const std::string& names, std::string& into, const std::string& help);
  Option value(const std::string& names, std::vector<std::string>& into, const std::string& help);
  Option value(const std::string& names, int64_t& into, const std::string& help);
  Option value(const std::string& names, std::optional<uint32_t>& into, const std::string& help);
  Option flag(const std::string& names, bool& into, const std::string& help);

  // --json: results go to standard output as JSON, and failures to standard error (cli/errors.h). Every command has it,
  // or says why not.
  Option json(bool& into, const std::string& help);
  void without_json(const std::string& reason);

  // --url and --ca-file, for a command that may ask a server on another machine (cli/remote.h).
  void may_be_remote();

  void runs(Action action);

 private:
  CLI::App* app_;
  Declared* declared_;
};

// Parses the command line and runs the command that it names. Returns the process's exit code; failures are printed.
// `declare` adds the commands; `overview` stands below their list, `version` is what --version prints.
int run_command_line(int argc, char** argv, const std::function<void(Command&)>& declare, const std::string& overview,
                     const std::string& version);

// Each file's one function.
void add_init(Command& firn);
void add_mount(Command& firn);
void add_umount(Command& firn);
void add_serve(Command& firn);
void add_status(Command& firn);
void add_stats(Command& firn);
void add_profile(Command& firn);
void add_debug(Command& firn);
void add_fsck(Command& firn);
void add_key(Command& firn);
void add_bench(Command& firn);
void add_ls(Command& firn);
void add_cat(Command& firn);
void add_get(Command& firn);
void add_put(Command& firn);
void add_rm(Command& firn);
void add_stat(Command& firn);
void add_du(Command& firn);
void add_find(Command& firn);
void add_events(Command& firn);
void add_mkdir(Command& firn);
void add_mv(Command& firn);
void add_tier(Command& firn);
void add_wal(Command& firn);
void add_gc(Command& firn);
void add_scrub(Command& firn);
void add_restore(Command& firn);
void add_migrate(Command& firn);
void add_token(Command& firn);
void add_devices(Command& firn);
void add_cache(Command& firn);
void add_cp(Command& firn);
void add_version(Command& firn);

}  // namespace firn::cli
