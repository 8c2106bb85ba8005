#include "http/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/hex.h"
#include "http/base64.h"
#include "meta/file_type.h"

namespace firn::http {

std::string text_of(Timestamp time) { return fmt::format("{}.{:09}", time.seconds, time.nanoseconds); }

std::string dump_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void put_name(nlohmann::json& object, std::string_view name) { put_text(object, "name", name); }

void put_text(nlohmann::json& object, const std::string& member, std::string_view text) {
  object[member] = text;
  if (is_utf8(text)) return;
  object[member] = nlohmann::json::parse(dump_json(object[member]));
  object[member + "_hex"] = to_hex(text);
}

bool is_utf8(std::string_view text) {
  return nlohmann::json::parse(dump_json(nlohmann::json(text))).get<std::string>() == text;
}

nlohmann::json json_of_bytes(std::string_view bytes) {
  if (is_utf8(bytes)) return bytes;
  return {{"base64", to_base64(bytes)}};
}

nlohmann::json json_of(const meta::Attr& attr) {
  return {{"inode", attr.inode.value},
          {"type", meta::name_of(attr.type)},
          {"mode", fmt::format("{:04o}", attr.mode)},
          {"nlink", attr.nlink},
          {"uid", attr.uid},
          {"gid", attr.gid},
          {"size", attr.size},
          {"allocated", attr.allocated_bytes},
          {"rdev", attr.rdev},
          {"atime", text_of(attr.atime)},
          {"mtime", text_of(attr.mtime)},
          {"ctime", text_of(attr.ctime)},
          {"btime", text_of(attr.btime)}};
}

}  // namespace firn::http
