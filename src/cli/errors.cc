#include "cli/errors.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"

namespace firn::cli {
namespace {

bool as_json = false;  // set before there are threads

void print_line(const std::string& message, const char* kind, std::string_view code) {
  std::string line;
  if (as_json) {
    nlohmann::json object = {{kind, message}};
    if (!code.empty()) object["code"] = code;
    line = dump_json(object);
  } else {
    line = "firn: ";
    for (const char c : message) line += c == '\n' || c == '\r' ? ' ' : c;
  }
  line += '\n';
  std::fputs(line.c_str(), stderr);
}

}  // namespace

void print_errors_as_json() { as_json = true; }

void print_error(const std::string& message) { print_line(message, "notice", ""); }

void print_failure(const std::string& command, const Status& status) {
  print_line(fmt::format("{}: {}", command, status.to_string()), "error", code_name(status.code()));
}

int misuse(const std::string& message) {
  print_line(message, "error", "misuse");
  return kExitMisuse;
}

}  // namespace firn::cli
