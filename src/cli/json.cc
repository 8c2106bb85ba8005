#include "cli/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace firn::cli {

using nlohmann::json;

Result<json> parse_answer(const std::string& body) {
  json value = json::parse(body, nullptr, false);
  if (!value.is_object()) return fail(Code::kIo, "the daemon's answer is not JSON");
  return value;
}

std::string dump_json(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void print_json(const json& value) { fmt::print("{}\n", dump_json(value)); }

}  // namespace firn::cli
