#include "cli/version.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "meta/volume.h"

#ifndef FIRN_VERSION
#error "FIRN_VERSION comes from CMake"
#endif

namespace firn::cli {

std::string version_number() { return FIRN_VERSION; }

std::string version_text() { return fmt::format("firn {} (format {})", FIRN_VERSION, meta::kFormatVersion); }

void add_version(Command& firn) {
  Command command = firn.add("version", "Print the version",
                             "Prints the program's version and the newest volume format that it reads and writes.");
  command.runs([]() -> Result<int> {
    fmt::print("{}\n", version_text());
    return kExitOk;
  });
}

}  // namespace firn::cli
