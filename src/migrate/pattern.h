// Which names are taken along: patterns as in .gitignore, matched against paths below a source.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace firn::migrate {

// gitignore(5): `*` and `?` match within a name, `[a-z]` and `[!a-z]` one byte of it, `**` as a whole name any number
// of names, `\` takes the next byte as it is. A `/` at the start or in the middle ties the pattern to the source's
// root; without one it matches at any depth. A `/` at the end matches folders only. Bytes, not characters.
class Pattern {
 public:
  explicit Pattern(std::string_view text);
  // `path`: "a/b", relative to the source.
  bool matches(std::string_view path, bool is_folder) const;

 private:
  bool folders_only_ = false;
  std::vector<std::string> names_;
};

enum class Verdict : uint8_t { kTake, kLeave };

// What an entry is, besides its path.
struct Matched {
  bool is_folder = false;
  // The folder that it is in was named by an include pattern, and so all that is below.
  bool in_included_folder = false;
};

struct Selection {
  std::vector<Pattern> include, exclude;

  bool takes_all() const { return include.empty() && exclude.empty(); }
  // Left out is what an exclude pattern matches and no include pattern does. With include patterns alone, every file
  // that none of them matches; folders are walked all the same.
  Verdict verdict(std::string_view path, Matched what) const;
  bool includes(std::string_view path, bool is_folder) const;
};

}  // namespace firn::migrate
