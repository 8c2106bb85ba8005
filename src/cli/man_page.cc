#include "cli/man_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "cli/man_sections.h"
#include "cli/roff.h"
#include "cli/version.h"

namespace firn::cli {
namespace {

// "firn-tier-set" of "tier set".
std::string page_name(const std::string& path) {
  std::string name = below("firn", path);
  std::ranges::replace(name, ' ', '-');
  return path.empty() ? "firn" : name;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }
std::string section(const std::string& name) { return ".SH " + name + "\n"; }
std::string reference(const std::string& path) { return bold(page_name(path)) + "(1)"; }

std::string synopsis(const std::string& path, const CommandTree& command) {
  std::string out = bold(path.empty() ? "firn" : "firn " + path) + " [" + italic("OPTIONS") + "]";
  if (!command.commands.empty()) out += " " + italic("COMMAND") + " ...";
  for (const Parameter& argument : command.arguments) {
    const std::string name = italic(argument.value) + (argument.repeats ? " ..." : "");
    out += argument.required ? " " + name : " [" + name + "]";
  }
  return section("SYNOPSIS") + out + "\n";
}

// What may be in it, where the help does not say so already.
std::string text_of(const Parameter& parameter) {
  std::string text = parameter.help;
  if (!parameter.choices.empty()) text += fmt::format(" ({})", fmt::join(parameter.choices, ", "));
  if (!parameter.range.empty()) text += fmt::format(" ({})", parameter.range);
  if (parameter.repeats && !parameter.names.empty()) text += " (may be repeated)";
  return text;
}

std::string parameters(const CommandTree& command) {
  std::string out;
  if (!command.arguments.empty()) out += section("ARGUMENTS");
  for (const Parameter& argument : command.arguments) out += roff_item(italic(argument.value), text_of(argument));
  if (!command.options.empty()) out += section("OPTIONS");
  for (const Parameter& option : command.options) {
    std::string term;
    for (const std::string& name : option.names) term += (term.empty() ? "" : ", ") + bold(name);
    out += roff_item(option.value.empty() ? term : term + " " + italic(option.value), text_of(option));
  }
  return out;
}

std::string commands(const std::string& path, const CommandTree& command) {
  if (command.commands.empty()) return "";
  std::string out = section("COMMANDS");
  for (const CommandTree& one : command.commands) out += roff_item(reference(below(path, one.name)), one.brief);
  return out;
}

bool is_told(const Fact& fact, const CommandTree& command) {
  std::string texts = command.manual;
  for (const auto* parameters : {&command.options, &command.arguments})
    for (const Parameter& one : *parameters) texts += fmt::format("\n{} {}", fmt::join(one.names, " "), one.help);
  return std::ranges::any_of(fact.told_by, [&](const std::string& word) { return texts.contains(word); });
}

std::string facts(const char* name, const std::vector<Fact>& all, const CommandTree& command, bool every) {
  std::string out;
  for (const Fact& fact : all)
    if (every || is_told(fact, command)) out += roff_item(bold(fact.name), fact.text);
  return out.empty() ? "" : section(name) + out;
}

std::string see_also(const std::string& path) {
  if (path.empty()) return "";
  const size_t last = path.rfind(' ');
  return section("SEE ALSO") + reference(last == std::string::npos ? "" : path.substr(0, last)) + "\n";
}

std::string page(const std::string& path, const CommandTree& command) {
  const bool whole = path.empty();
  // Left aligned and not hyphenated: names of options are not words.
  std::string out =
      fmt::format(".TH {} 1 \"\" \"{}\" \"firn\"\n.nh\n.ad l\n", roff(page_name(path)), roff(version_text()));
  out += section("NAME") + fmt::format("{} \\- {}\n", roff(page_name(path)), roff(command.brief));
  out += synopsis(path, command);
  if (!command.manual.empty()) out += section("DESCRIPTION") + roff_paragraphs(command.manual);
  out += commands(path, command) + parameters(command);
  out += facts("EXIT STATUS", exit_codes(), command, true);
  out += facts("ENVIRONMENT", environment_variables(), command, whole);
  out += facts("FILES", files_used(), command, whole);
  return out + see_also(path);
}

Status write_page(const std::string& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.close();
  return out ? Status() : Status::from_errno(errno, file);
}

}  // namespace

Result<std::string> man_page(const CommandTree& tree, const std::vector<std::string>& path) {
  const std::string joined = fmt::to_string(fmt::join(path, " "));
  const CommandTree* command = find(tree, path);
  if (!command) return fail(Code::kNotFound, fmt::format("help: {}: no such command; see: firn help", joined));
  return page(joined, *command);
}

Status write_man_pages(const CommandTree& tree, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Status::from_errno(error.value(), folder);
  Status status;
  walk(tree, [&](const std::string& path, const CommandTree& command) {
    if (status.ok()) status = write_page(fmt::format("{}/{}.1", folder, page_name(path)), page(path, command));
  });
  return status;
}

}  // namespace firn::cli
