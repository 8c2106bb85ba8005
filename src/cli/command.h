// How a command of the command line is declared: one file per command, each with one function that adds it.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include "base/status.h"

namespace firn::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitMisuse = 2;

// What the chosen command does: its exit code, or the failure that main() prints as one line.
using Action = std::function<Result<int>()>;

// Adds a command to `app`. Its action becomes `*chosen` when the command line names it.
// `brief` is one line for the overview; `manual` is what `firn help NAME` prints below the options.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& brief, const std::string& manual);

// Each file's one function. `chosen` outlives parsing.
void add_init(CLI::App& app, Action* chosen);
void add_mount(CLI::App& app, Action* chosen);
void add_umount(CLI::App& app, Action* chosen);
void add_serve(CLI::App& app, Action* chosen);
void add_status(CLI::App& app, Action* chosen);
void add_fsck(CLI::App& app, Action* chosen);
void add_key(CLI::App& app, Action* chosen);
void add_bench(CLI::App& app, Action* chosen);
void add_ls(CLI::App& app, Action* chosen);
void add_cat(CLI::App& app, Action* chosen);
void add_put(CLI::App& app, Action* chosen);
void add_rm(CLI::App& app, Action* chosen);
void add_stat(CLI::App& app, Action* chosen);
void add_mkdir(CLI::App& app, Action* chosen);
void add_mv(CLI::App& app, Action* chosen);
void add_tier(CLI::App& app, Action* chosen);
void add_wal(CLI::App& app, Action* chosen);
void add_gc(CLI::App& app, Action* chosen);
void add_scrub(CLI::App& app, Action* chosen);
void add_restore(CLI::App& app, Action* chosen);
void add_version(CLI::App& app, Action* chosen);

// Prints "firn: MESSAGE" to stderr, on one line, and yields the exit code of misuse.
int misuse(const std::string& message);
void print_error(const std::string& message);

}  // namespace firn::cli
