#include "cli/version.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "meta/volume.h"

#ifndef FIRN_VERSION
#error "FIRN_VERSION comes from CMake"
#endif

namespace firn::cli {

std::string version_text() { return fmt::format("firn {} (format {})", FIRN_VERSION, meta::kFormatVersion); }

void add_version(CLI::App& app, Action* chosen) {
  CLI::App& command =
      add_command(app, "version", "Print the version",
                  "Prints the program's version and the newest volume format that it reads and writes.");
  command.callback([chosen] {
    *chosen = []() -> Result<int> {
      fmt::print("{}\n", version_text());
      return kExitOk;
    };
  });
}

}  // namespace firn::cli
