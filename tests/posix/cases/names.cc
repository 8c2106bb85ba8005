// Names are bytes: all but '/' and NUL.
#include <algorithm>

#include "fs.h"

namespace firn::posix {
namespace {

CASE(kBoth, "names/every_byte") {
  std::vector<std::string> wanted;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/') continue;
    const Row row(std::to_string(byte));
    const std::string name = std::string("n") + static_cast<char>(byte);
    OK(close(OK(open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644))));
    wanted.push_back(name);
  }
  std::sort(wanted.begin(), wanted.end());
  HOLDS(list_names() == wanted);
  for (const std::string& name : wanted) OK(unlink(name.c_str()));
  HOLDS(list_names().empty());
}

CASE(kBoth, "names/single_bytes") {
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/' || byte == '.') continue;
    const Row row(std::to_string(byte));
    const std::string name(1, static_cast<char>(byte));
    OK(mkdir(name.c_str(), 0755));
    HOLDS(list_names() == std::vector<std::string>{name});
    OK(rmdir(name.c_str()));
  }
}

CASE(kBoth, "names/special") {
  const std::string names[] = {"...",
                               ".hidden",
                               " ",
                               "  leading",
                               "trailing ",
                               "new\nline",
                               "tab\t",
                               "-rf",
                               "*",
                               "\\",
                               "\"quoted\"",
                               "Größe",
                               "日本語",
                               "e\xcc\x81",
                               "\xc3\xa9",
                               "\xff\xfe\xfd",
                               "\xc0\x80",
                               "a:b",
                               "NUL",
                               "CON",
                               "~",
                               "#",
                               "%00",
                               ".fuse_hidden0001",
                               "lost+found",
                               repeat('\xff', 255),
                               repeat('\n', 255),
                               repeat('.', 255),
                               repeat('x', 254)};
  for (const std::string& name : names) {
    const Row row(name.substr(0, 20));
    spit(name, name);
    EQ(name, slurp(name));
    OK(rename(name.c_str(), "plain"));
    OK(rename("plain", name.c_str()));
    OK(link(name.c_str(), "hard"));
    HOLDS(list_names().size() >= 2);
    OK(unlink("hard"));
  }
  std::vector<std::string> sorted(std::begin(names), std::end(names));
  std::sort(sorted.begin(), sorted.end());
  HOLDS(list_names() == sorted);
}

CASE(kBoth, "names/case_sensitive") {
  spit("name", "lower");
  spit("NAME", "upper");
  spit("Name", "mixed");
  EQ("lower", slurp("name"));
  EQ("upper", slurp("NAME"));
  EQ(3, list_names().size());
}

CASE(kBoth, "names/all_lengths") {
  for (size_t length = 1; length <= 255; ++length) {
    const Row row(std::to_string(length));
    OK(close(OK(open(repeat('l', length).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644))));
  }
  EQ(255, list_names().size());
  for (size_t length = 1; length <= 255; ++length) OK(unlink(repeat('l', length).c_str()));
}

CASE(kBoth, "names/prefixes_are_distinct") {
  OK(mkdir("a", 0755));
  spit("a/b", "1");
  spit("ab", "2");
  spit("a/bc", "3");
  OK(unlink("a/b"));
  EQ("3", slurp("a/bc"));
  EQ("2", slurp("ab"));
}

}  // namespace
}  // namespace firn::posix
