#include "object/s3/profile.h"

#include <fstream>
#include <sstream>

#include "object/s3/credentials.h"

namespace firn::object::s3 {

namespace {

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string section_name(std::string_view line) {
  std::string_view name = trim(line.substr(1, line.find(']') == std::string_view::npos ? 0 : line.find(']') - 1));
  constexpr std::string_view kPrefix = "profile ";
  if (name.starts_with(kPrefix)) name = trim(name.substr(kPrefix.size()));
  return std::string(name);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string path_of(const Environment& environment, const char* variable, const char* under_home) {
  std::string path = environment.get(variable);
  return path.empty() ? environment.get("HOME") + under_home : path;
}

}  // namespace

std::map<std::string, Section> parse_profiles(std::string_view text) {
  std::map<std::string, Section> sections;
  Section* current = nullptr;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
    const std::string_view content = trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    if (content[0] == '[') {
      current = &sections[section_name(content)];
      continue;
    }
    const size_t equals = content.find('=');
    if (current == nullptr || equals == std::string_view::npos || line[0] == ' ' || line[0] == '\t') continue;
    std::string_view value = trim(content.substr(equals + 1));
    if (const size_t comment = value.find(" #"); comment != std::string_view::npos)
      value = trim(value.substr(0, comment));
    (*current)[std::string(trim(content.substr(0, equals)))] = std::string(value);
  }
  return sections;
}

std::string profile_name(const Environment& environment) {
  const std::string name = environment.get("AWS_PROFILE");
  return name.empty() ? "default" : name;
}

Section load_credentials_file(const Environment& environment) {
  const std::string path = path_of(environment, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  return parse_profiles(read_file(path))[profile_name(environment)];
}

Section load_profile(const Environment& environment) {
  Section profile = load_credentials_file(environment);
  const std::string path = path_of(environment, "AWS_CONFIG_FILE", "/.aws/config");
  profile.merge(parse_profiles(read_file(path))[profile_name(environment)]);
  return profile;
}

}  // namespace firn::object::s3
