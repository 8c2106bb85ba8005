// What others say, made fit for messages of ours.
#pragma once

#include <string>
#include <vector>

namespace firn::object::s3 {

// The first line of `text` that says something: at most 200 bytes, without control characters, and with each of
// `secrets` (those of fewer than 4 bytes apart) replaced by "(removed)".
std::string shown_line(std::string text, const std::vector<std::string>& secrets = {});

}  // namespace firn::object::s3
