#include "cli/command.h"

#include <cstdio>

namespace firn::cli {

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& brief, const std::string& manual) {
  CLI::App& command = *app.add_subcommand(name, brief);
  command.footer(manual);
  return command;
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
