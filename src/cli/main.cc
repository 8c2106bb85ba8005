// The firn program: declares the commands and runs the one that the command line names.
#include <csignal>

#include "base/failpoint.h"
#include "cli/command.h"
#include "cli/man_sections.h"
#include "cli/version.h"

namespace firn::cli {
namespace {

std::string overview() {
  return "A VOLUME is a folder made by firn init. A PATH is a path inside a mounted volume, or VOLUME:/PATH.\n"
         "With --url, or FIRN_URL, it is an absolute path in the volume that is served there; FIRN_TOKEN or the file\n"
         "~/.config/firn/token (mode 600) holds the token to show. An absolute path that is in no volume here is one "
         "of the\n"
         "only volume on the local network: firn devices.\n"
         "firn help COMMAND describes a command.\n"
         "Exit codes: " +
         exit_codes_line() + ".";
}

void declare(Command& firn) {
  firn.may_be_remote();
  for (auto add :
       {add_init,  add_mount,   add_umount, add_serve, add_status, add_stats,   add_profile, add_debug, add_fsck,
        add_key,   add_tier,    add_wal,    add_gc,    add_scrub,  add_restore, add_migrate, add_bench, add_ls,
        add_cat,   add_get,     add_put,    add_rm,    add_stat,   add_du,      add_find,    add_mkdir, add_mv,
        add_token, add_devices, add_cache,  add_cp,    add_events, add_version})
    add(firn);
}

int run(int argc, char** argv) {
  if (const Status armed = failpoints::arm_from_environment(); !armed.ok()) return misuse(armed.to_string());
  return run_command_line(argc, argv, declare, overview(), version_text());
}

}  // namespace
}  // namespace firn::cli

int main(int argc, char** argv) {
  // A reader that went away is an error of write(2), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  return firn::cli::run(argc, argv);
}
