#include "base/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "base/bytes.h"

namespace firn::config {
namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + quoted(word);
  return out;
}

// What a value may be, for messages and comments.
std::string describe(const Setting& setting) {
  return std::visit(
      Overload{
          [](const Flag&) -> std::string { return "true or false"; },
          [](const Integer& i) { return fmt::format("an integer from {} to {}", i.min, i.max); },
          [](const Size& s) {
            return fmt::format("a size from \"{}\" to \"{}\"", format_size(s.min), format_size(s.max));
          },
          [](const Duration& d) {
            return fmt::format("a duration from \"{}\" to \"{}\"", format_duration(d.min), format_duration(d.max));
          },
          [](const Text& t) -> std::string { return t.choices.empty() ? "a string" : "one of " + joined(t.choices); }},
      setting.target);
}

std::string value_text(const Setting& setting) {
  return std::visit(Overload{[](const Flag& f) -> std::string { return *f.value ? "true" : "false"; },
                             [](const Integer& i) { return std::to_string(*i.value); },
                             [](const Size& s) { return quoted(format_size(*s.value)); },
                             [](const Duration& d) { return quoted(format_duration(*d.value)); },
                             [](const Text& t) { return quoted(*t.value); }},
                    setting.target);
}

enum class Fit : uint8_t { kOk, kWrongType, kOutOfRange };

template <class T>
Fit store_in_range(T value, T min, T max, T* target) {
  if (value < min || value > max) return Fit::kOutOfRange;
  *target = value;
  return Fit::kOk;
}

Fit store(const toml::node& node, const Flag& flag) {
  const auto value = node.value_exact<bool>();
  if (!value) return Fit::kWrongType;
  *flag.value = *value;
  return Fit::kOk;
}

Fit store(const toml::node& node, const Integer& integer) {
  const auto value = node.value_exact<int64_t>();
  return value ? store_in_range(*value, integer.min, integer.max, integer.value) : Fit::kWrongType;
}

Fit store(const toml::node& node, const Size& size) {
  if (const auto value = node.value_exact<int64_t>()) {
    if (*value < 0) return Fit::kOutOfRange;
    return store_in_range(static_cast<uint64_t>(*value), size.min, size.max, size.value);
  }
  const auto text = node.value_exact<std::string_view>();
  if (!text) return Fit::kWrongType;
  const Result<uint64_t> value = parse_size(*text);
  return value ? store_in_range(*value, size.min, size.max, size.value) : Fit::kWrongType;
}

Fit store(const toml::node& node, const Duration& duration) {
  const auto text = node.value_exact<std::string_view>();
  if (!text) return Fit::kWrongType;
  const Result<int64_t> value = parse_duration(*text);
  return value ? store_in_range(*value, duration.min, duration.max, duration.value) : Fit::kWrongType;
}

Fit store(const toml::node& node, const Text& text) {
  const auto value = node.value_exact<std::string>();
  if (!value) return Fit::kWrongType;
  if (!text.choices.empty() && std::ranges::find(text.choices, *value) == text.choices.end()) return Fit::kOutOfRange;
  *text.value = *value;
  return Fit::kOk;
}

// The value as it stands in the file, as far as a message needs it.
std::string shown(const toml::node& node) {
  if (const auto text = node.value_exact<std::string_view>()) return quoted(*text);
  if (const auto integer = node.value_exact<int64_t>()) return std::to_string(*integer);
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  std::ostringstream type;
  type << node.type();
  return "this " + type.str();
}

// The key that differs least from `key`, if it differs by little.
std::string suggestion(std::string_view key, const Schema& schema) {
  auto distance = [](std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
      size_t diagonal = std::exchange(row[0], i);
      for (size_t j = 1; j <= b.size(); ++j) {
        const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      }
    }
    return row.back();
  };
  size_t best = 4;
  std::string found;
  for (const Setting& setting : schema)
    if (const size_t d = distance(key, setting.key); d < best) best = d, found = setting.key;
  return found.empty() ? "remove it" : fmt::format("did you mean {}?", found);
}

class Reader {
 public:
  Reader(std::string_view file, const Schema& schema) : file_(file), schema_(schema) {
    for (const Setting& setting : schema) sections_.insert(setting.key.substr(0, setting.key.rfind('.')));
  }

  Status read(const toml::table& table, const std::string& prefix) const {
    for (const auto& [name, node] : table) {
      const std::string key = prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
      if (const toml::table* inner = node.as_table(); inner && is_section(key)) {
        TRY(read(*inner, key));
      } else {
        TRY(read_value(key, name.source().begin.line, node));
      }
    }
    return {};
  }

 private:
  bool is_section(const std::string& key) const {
    auto it = sections_.lower_bound(key);
    return it != sections_.end() && (*it == key || it->starts_with(key + "."));
  }

  Status read_value(const std::string& key, uint32_t line, const toml::node& node) const {
    auto where = [&] { return fmt::format("{}:{}: {}", file_, line, key); };
    for (const Setting& setting : schema_) {
      if (setting.key != key) continue;
      const Fit fit = std::visit([&](const auto& target) { return store(node, target); }, setting.target);
      if (fit == Fit::kOk) return {};
      return Status(Code::kInvalid, fmt::format("{}: {} {}; give {}", where(), shown(node),
                                                fit == Fit::kWrongType ? "is of the wrong type" : "is out of range",
                                                describe(setting)));
    }
    return Status(Code::kInvalid, fmt::format("{}: unknown key; {}", where(), suggestion(key, schema_)));
  }

  const std::string_view file_;
  const Schema& schema_;
  std::set<std::string> sections_;
};

// `text` cut into lines of at most `width`, each after "# ".
void append_comment(std::string& out, std::string_view text, size_t width = 100) {
  while (!text.empty()) {
    size_t cut = std::min(text.find('\n'), text.size());
    if (cut > width) {
      cut = text.rfind(' ', width);
      if (cut == std::string_view::npos || cut == 0) cut = std::min(text.find(' '), text.size());
    }
    out += cut == 0 ? "#" : "# ";
    out += text.substr(0, cut);
    out += '\n';
    text.remove_prefix(std::min(cut + 1, text.size()));
  }
}

}  // namespace

Status parse(std::string_view text, std::string_view file, const Schema& schema) {
  const toml::parse_result result = toml::parse(text, file);
  if (!result)
    return Status(Code::kInvalid, fmt::format("{}:{}: not valid TOML: {}", file, result.error().source().begin.line,
                                              result.error().description()));
  return Reader(file, schema).read(result.table(), "");
}

Status load(const std::string& file, const Schema& schema) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text;
  if (in) text.assign(std::istreambuf_iterator<char>(in), {});
  if (!in || in.bad()) return Status::from_errno(errno ? errno : EIO, file);
  return parse(text, file, schema);
}

std::string render(const Schema& schema, const Schema& defaults, std::string_view heading) {
  std::string out;
  append_comment(out, heading);
  std::string_view section;
  for (size_t i = 0; i < schema.size(); ++i) {
    const Setting& setting = schema[i];
    const std::string_view key = setting.key;
    const size_t dot = key.rfind('.');
    if (section != key.substr(0, dot)) {
      section = key.substr(0, dot);
      out += fmt::format("\n[{}]\n", section);
    }
    append_comment(out,
                   fmt::format("{} ({}; default {})", setting.comment, describe(setting), value_text(defaults[i])));
    const bool is_default = value_text(setting) == value_text(defaults[i]);
    out += fmt::format("{}{} = {}\n", is_default ? "#" : "", key.substr(dot + 1), value_text(setting));
  }
  return out;
}

}  // namespace firn::config
