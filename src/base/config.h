// Configuration: a TOML file checked against a table of settings. The table is the only place that names a key:
// parsing, range checks, defaults and the commented file that `firn init` writes all come from it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace firn::config {

// What a setting is bound to. The value that is there when the table is made is the setting's default.
struct Flag {
  bool* value;
};
struct Integer {
  int64_t* value;
  int64_t min, max;
};
struct Size {  // "4MiB" or an integer number of bytes
  uint64_t* value;
  uint64_t min, max;
};
struct Duration {  // "5ms", in nanoseconds
  int64_t* value;
  int64_t min, max;
};
struct Text {
  std::string* value;
  std::vector<std::string> choices;  // empty: any text
};
struct TextList {  // ["a", "b"], or "a" for one
  std::vector<std::string>* value;
  size_t max;
  // What is wrong with a list of strings, and what to do; empty: nothing is. May be null.
  std::function<std::string(const std::vector<std::string>&)> problem;
};

struct Setting {
  std::string key;  // "section.name"; settings of one section stand together
  std::variant<Flag, Integer, Size, Duration, Text, TextList> target;
  std::string comment;  // sentences for firn.toml; unit and range are added
};

using Schema = std::vector<Setting>;

// Reads `text` (of `file`, which messages name) into the schema's targets. kInvalid, with "FILE:LINE: KEY: why; what to
// do", on a syntax error, an unknown key, a wrong type or a value out of range; targets may be partly set then. Keys
// that are absent keep their value.
Status parse(std::string_view text, std::string_view file, const Schema& schema);
// A table in another one: "nas" of [tier.nas], and the line where it begins.
struct Section {
  std::string name;
  uint32_t line = 0;
};
// Those directly below the table `table`, by name. What is wrong with the text is for parse() to say.
std::vector<Section> sections_below(std::string_view text, std::string_view table);

// All of a file. kNotFound, or why it cannot be read.
Result<std::string> read_text(const std::string& file);
// read_text(), then parse().
Status load(const std::string& file, const Schema& schema);

// The whole schema as TOML: every key with its comment and range, `heading` (lines without '#') first.
// A value that equals `defaults`' is written as a comment; the two schemas are the same table bound to two instances.
std::string render(const Schema& schema, const Schema& defaults, std::string_view heading);

}  // namespace firn::config
