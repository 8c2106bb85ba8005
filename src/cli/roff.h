// Text for man(1), in the language of groff_man(7).
#pragma once

#include <string>

namespace firn::cli {

// `text` as it is, within a line: nothing in it is a request or an escape.
std::string roff(const std::string& text);

// Texts of help: paragraphs, with a blank line between them, and indented lines: "  TERM  what it means", where a line
// that is indented further goes on with the meaning, or something to type.
std::string roff_paragraphs(const std::string& text);

// "term" in bold, and its text beside or below it. `term` is roff already.
std::string roff_item(const std::string& term, const std::string& text);

}  // namespace firn::cli
