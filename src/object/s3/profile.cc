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
  std::string above;  // the setting that indented ones belong to
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
    const std::string_view content = trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    if (content[0] == '[') {
      current = &sections[section_name(content)];
      above.clear();
      continue;
    }
    const size_t equals = content.find('=');
    if (current == nullptr || equals == std::string_view::npos) continue;
    const bool indented = line[0] == ' ' || line[0] == '\t';
    if (indented && above.empty()) continue;
    std::string_view value = trim(content.substr(equals + 1));
    if (const size_t comment = value.find(" #"); comment != std::string_view::npos)
      value = trim(value.substr(0, comment));
    const std::string name(trim(content.substr(0, equals)));
    if (!indented) above = value.empty() ? name : "";
    (*current)[indented ? above + "." + name : name] = std::string(value);
  }
  return sections;
}

std::string profile_name(const Environment& environment) {
  const std::string name = environment.get("AWS_PROFILE");
  return name.empty() ? "default" : name;
}

Status Profile::wrong(const std::string& key, const std::string& why) const {
  const std::string& path = credentials_file_.contains(key) ? credentials_path_ : config_path_;
  return Status(Code::kAccessDenied, "the profile " + name_ + " (" + path + "): " + key + " " + why);
}

std::string Profile::get(const std::string& key) const {
  for (const Section* section : {&credentials_file_, &config_file_})
    if (const auto found = section->find(key); found != section->end() && !found->second.empty()) return found->second;
  return "";
}

SharedFiles::SharedFiles(const Environment& environment)
    : credentials_path_(path_of(environment, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials")),
      config_path_(path_of(environment, "AWS_CONFIG_FILE", "/.aws/config")),
      credentials_(parse_profiles(read_file(credentials_path_))),
      config_(parse_profiles(read_file(config_path_))) {}

Profile SharedFiles::profile(const std::string& name) const {
  Profile profile;
  profile.name_ = name;
  profile.credentials_path_ = credentials_path_;
  profile.config_path_ = config_path_;
  profile.exists_ = credentials_.contains(name) || config_.contains(name);
  if (const auto found = credentials_.find(name); found != credentials_.end())
    profile.credentials_file_ = found->second;
  if (const auto found = config_.find(name); found != config_.end()) profile.config_file_ = found->second;
  return profile;
}

std::optional<Section> SharedFiles::config_section(const std::string& name) const {
  const auto found = config_.find(name);
  return found == config_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace firn::object::s3
