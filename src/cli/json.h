// JSON as commands read and print it; compiled once, because the parser takes seconds to compile.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"

namespace firn::cli {

// The daemon's answer: a JSON object. kIo: it is something else.
Result<nlohmann::json> parse_answer(const std::string& body);

// One line; what is no UTF-8 is replaced.
std::string dump_json(const nlohmann::json& value);
void print_json(const nlohmann::json& value);

}  // namespace firn::cli
