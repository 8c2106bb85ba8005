#include "cli/roff.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace firn::cli {
namespace {

size_t indentation(const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); }

// A line of its own.
std::string roff_line(const std::string& text) { return (text.starts_with('.') ? "\\&" : "") + roff(text) + "\n"; }

struct Item {
  std::string term, text;
};

// `lines` from `at` on, as long as they are indented.
std::vector<Item> take_items(const std::vector<std::string>& lines, size_t& at) {
  const size_t base = indentation(lines[at]);
  std::vector<Item> items;
  for (; at < lines.size() && indentation(lines[at]) > 0 && !lines[at].empty(); ++at) {
    const std::string line = lines[at].substr(indentation(lines[at]));
    if (indentation(lines[at]) > base && !items.empty() && !items.back().text.empty()) {
      items.back().text += " " + line;
      continue;
    }
    const size_t gap = line.find("  ");
    items.push_back(
        {line.substr(0, gap), gap == std::string::npos ? "" : line.substr(line.find_first_not_of(' ', gap))});
  }
  return items;
}

std::string render(const std::vector<Item>& items) {
  std::string out = ".RS 4\n";
  for (const Item& item : items) {
    if (item.text.empty())
      out += ".PP\n.nf\n" + roff_line(item.term) + ".fi\n";
    else
      out += roff_item("\\fB" + roff(item.term) + "\\fR", item.text);
  }
  return out + ".RE\n";
}

}  // namespace

std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '"':
        out += "\\(dq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string roff_item(const std::string& term, const std::string& text) {
  return fmt::format(".TP\n{}\n{}", term, roff_line(text));
}

std::string roff_paragraphs(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::string out;
  bool within = false;  // a paragraph
  for (size_t at = 0; at < lines.size();) {
    if (!lines[at].empty() && indentation(lines[at]) > 0) {
      out += render(take_items(lines, at));
      within = false;
      continue;
    }
    if (!lines[at].empty()) out += (within ? "" : ".PP\n") + roff_line(lines[at]);
    within = !lines[at].empty();
    ++at;
  }
  return out;
}

}  // namespace firn::cli
