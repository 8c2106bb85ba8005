// The file of tokens as text: docs/formats/tokens.md.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "base/hex.h"
#include "http/message.h"
#include "http/token.h"

namespace firn::http {
namespace {

constexpr std::string_view kFirstLine = "firn tokens 1";
constexpr size_t kIdDigits = 8;

// The words of a line, one blank between each.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  std::string_view next() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

template <class T>
bool read_number(std::string_view word, T& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size();
}

bool read_hash(std::string_view word, TokenHash& hash) {
  if (word.size() != 2 * hash.size()) return false;
  for (size_t i = 0; i < hash.size(); ++i) {
    const char* digits = word.data() + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, hash[i], 16);
    if (error != std::errc() || end != digits + 2) return false;
  }
  return true;
}

bool read_groups(std::string_view word, std::vector<uint32_t>& groups) {
  if (word == "-") return true;
  while (groups.size() < kMaxGroups) {
    const size_t end = std::min(word.find(','), word.size());
    if (!read_number(word.substr(0, end), groups.emplace_back())) return false;
    if (end == word.size()) return true;
    word.remove_prefix(end + 1);
  }
  return false;
}

// Percent-encoded, after the '=' that keeps an empty one visible.
bool read_text(std::string_view word, std::string& text) {
  Request request;
  if (!word.starts_with('=') || word.find('?') != std::string_view::npos) return false;
  if (!parse_target("/" + std::string(word.substr(1)), request).ok()) return false;
  text = request.path.substr(1);
  return true;
}

bool read_token(std::string_view line, Token& token) {
  Words words(line);
  token.id = std::string(words.next());
  if (token.id.size() != kIdDigits || token.id.find_first_not_of("0123456789abcdef") != std::string::npos) return false;
  if (!read_hash(words.next(), token.hash)) return false;
  const std::optional<Right> right = right_named(words.next());
  token.right = right.value_or(Right::kNothing);
  return right && read_number(words.next(), token.uid) && read_number(words.next(), token.gid) &&
         read_groups(words.next(), token.groups) && read_number(words.next(), token.created_s) &&
         read_number(words.next(), token.expires_s) && token.expires_s >= 0 && read_text(words.next(), token.scope) &&
         (token.scope.empty() || token.scope.starts_with('/')) && read_text(words.next(), token.name) && words.at_end();
}

}  // namespace

std::string render_tokens(std::span<const Token> tokens) {
  std::string text = fmt::format("{}\n", kFirstLine);
  for (const Token& token : tokens) {
    const std::string_view hash(reinterpret_cast<const char*>(token.hash.data()), token.hash.size());
    const std::string groups = token.groups.empty() ? "-" : fmt::format("{}", fmt::join(token.groups, ","));
    text += fmt::format("{} {} {} {} {} {} {} {} ={} ={}\n", token.id, to_hex(hash), name_of(token.right), token.uid,
                        token.gid, groups, token.created_s, token.expires_s, encode_path(token.scope),
                        encode_parameter(token.name));
  }
  return text;
}

Result<std::vector<Token>> parse_tokens(std::string_view text) {
  std::vector<Token> tokens;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (end == std::string_view::npos) return fail(Code::kCorrupt, fmt::format("line {} breaks off", number));
    text.remove_prefix(end + 1);
    if (number == 1) {
      if (line != kFirstLine) return fail(Code::kCorrupt, "line 1 is of another format; a newer firn may know it");
    } else if (tokens.size() == kMaxTokens || !read_token(line, tokens.emplace_back())) {
      return fail(Code::kCorrupt, fmt::format("line {} is no token", number));
    }
  }
  return tokens;
}

}  // namespace firn::http
