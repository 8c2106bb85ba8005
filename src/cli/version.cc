#include "cli/version.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
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
  auto as_json = std::make_shared<bool>(false);
  command.json(*as_json, "As one JSON value");
  command.runs([as_json]() -> Result<int> {
    if (*as_json) {
      print_json({{"version", version_number()}, {"format", meta::kFormatVersion}});
    } else {
      fmt::print("{}\n", version_text());
    }
    return kExitOk;
  });
}

}  // namespace firn::cli
