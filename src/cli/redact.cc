#include "cli/redact.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <regex>
#include <vector>

namespace firn::cli {
namespace {

// The regular expressions of the standard library recurse for each character.
constexpr size_t kMostLineBytes = 4096;

constexpr std::array kSecretVariables = {"AWS_ACCESS_KEY_ID",
                                         "AWS_SECRET_ACCESS_KEY",
                                         "AWS_SESSION_TOKEN",
                                         "FIRN_PASSPHRASE",
                                         "FIRN_NEW_PASSPHRASE",
                                         "FIRN_TOKEN",
                                         "AWS_CONTAINER_AUTHORIZATION_TOKEN"};

struct Rule {
  std::regex pattern;
  const char* replacement;
};

// What stands before the value of a secret: its name, and an equals sign or colon.
const std::string kSecretName =
    R"((?:secret|pass(?:word|phrase|wd)|token|credentials?|signature|authorization|(?:access|api|private)[_-]?key))"
    R"([a-z0-9_-]*["']?\s*[=:]\s*)";

const std::vector<Rule>& rules() {
  using std::regex_constants::icase, std::regex_constants::optimize;
  static const std::vector<Rule> all = {
      {std::regex(R"(://[^/\s@"']*@)", optimize), "://(removed)@"},
      {std::regex(R"(\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+)", icase | optimize), "$1 (removed)"},
      {std::regex("(" + kSecretName + R"re()(["'])[^"']*\2)re", icase | optimize), "$1$2(removed)$2"},
      {std::regex("(" + kSecretName + R"re()[^\s&,"'(][^\s&,"']*)re", icase | optimize), "$1(removed)"},
      {std::regex(R"(\b(AKIA|ASIA)[0-9A-Z]{12,})", optimize), "(removed)"},
      {std::regex(R"(firn_[0-9a-fA-F]{16,})", optimize), "(removed)"},
      // A secret key of S3: 40 characters in which upper and lower case and digits mix.
      {std::regex(
           R"((^|[^A-Za-z0-9/+])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[0-9])[A-Za-z0-9+/]{40}(?![A-Za-z0-9/+]))",
           optimize),
       "$1(removed)"},
  };
  return all;
}

void replace_all(std::string& text, std::string_view what) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += kRemoved.size())
    text.replace(at, what.size(), kRemoved);
}

template <class Change>
std::string each_line(std::string_view text, Change change) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out += change(std::string(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

bool begins_path(const std::string& line, size_t at) {
  return line[at] == '/' && (at == 0 || std::string_view(" \t\"'([=,").find(line[at - 1]) != std::string_view::npos);
}

}  // namespace

std::string without_secrets(std::string_view text) {
  return each_line(text, [](std::string line) {
    // The environment's first: the rules could cut through them.
    for (const char* variable : kSecretVariables)
      if (const char* value = std::getenv(variable); value && *value) replace_all(line, value);
    if (line.size() > kMostLineBytes) line.replace(kMostLineBytes, std::string::npos, "...");
    for (const Rule& rule : rules()) line = std::regex_replace(line, rule.pattern, rule.replacement);
    return line;
  });
}

std::string without_paths(std::string_view text, std::string_view kept) {
  return each_line(text, [kept](std::string line) {
    for (size_t at = 0; at < line.size(); ++at) {
      if (!begins_path(line, at) || std::string_view(line).substr(at).starts_with(kept)) continue;
      line.replace(at, std::string::npos, "(path removed)");
      break;
    }
    return line;
  });
}

}  // namespace firn::cli
