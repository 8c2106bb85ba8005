// Takes out of a text what must not leave the machine.
#pragma once

#include <string>
#include <string_view>

namespace firn::cli {

inline constexpr std::string_view kRemoved = "(removed)";

// Without what looks like a secret: what stands behind a word such as "secret" or "token", users and passwords in URLs,
// access keys and tokens by their form; and the values that this process's environment has for AWS_* and FIRN_*
// secrets.
std::string without_secrets(std::string_view text);

// Each line ends where its first absolute path begins, but for paths that begin with `kept`: names of files may have
// blanks, so what follows is not to be trusted either.
std::string without_paths(std::string_view text, std::string_view kept);

}  // namespace firn::cli
