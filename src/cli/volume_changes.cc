#include "cli/volume_changes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/listing.h"
#include "cli/part_file.h"

namespace firn::cli {
namespace {

BodySource source_of(std::string_view text) {
  return [text](std::span<std::byte> buffer) mutable -> Result<size_t> {
    const size_t bytes = text.copy(reinterpret_cast<char*>(buffer.data()), buffer.size());
    text.remove_prefix(bytes);
    return bytes;
  };
}

Status make_symlink(Client& client, const Target& at, const std::string& text) {
  TRY(client.call("POST", path_route("symlink", at) + "&target=" + http::encode_parameter(text)));
  return {};
}

// Under another name first: at no time is there neither the old nor the new.
Status replace_by_symlink(Client& client, const Target& to, const std::string& text) {
  const Target part{to.served, part_path(to.inner)};
  if (auto removed = client.call("DELETE", file_route(part)); !removed && removed.error() != Code::kNotFound)
    return std::move(removed).error();
  TRY(make_symlink(client, part, text));
  auto moved = client.call("POST", fmt::format("/v1/move?from={}&to={}", http::encode_parameter(part.inner),
                                               http::encode_parameter(to.inner)));
  if (moved) return {};
  (void)client.call("DELETE", file_route(part));  // the move's failure is what counts
  return std::move(moved).error();
}

}  // namespace

std::string text_of(Timestamp time) { return fmt::format("{}.{:09}", time.seconds, time.nanoseconds); }

Result<nlohmann::json> change_attributes(Client& client, const Target& at, const nlohmann::json& attributes,
                                         const std::string& headers) {
  const std::string text = dump_json(attributes);
  const auto reply = TRY(client.send("PATCH", route_to("meta", at), source_of(text), headers));
  return parse_answer(reply.body);
}

Status set_attributes(Client& client, const Target& at, const nlohmann::json& attributes) {
  TRY(change_attributes(client, at, attributes));
  return {};
}

Status put_symlink(Client& client, const Target& at, const std::string& text) {
  Status made = make_symlink(client, at, text);
  return made == Code::kExists ? replace_by_symlink(client, at, text) : made;
}

Result<bool> is_folder(Client& client, const Target& target) {
  const Result<Entry> found = attributes_of(client, target, {.follow = true});
  if (!found && found.error() == Code::kNotFound) return false;
  if (!found) return fail(found.error());
  return found->kind == FileKind::kFolder;
}

Status make_private_folder(Client& client, const Target& target) {
  if (TRY(is_folder(client, target))) return {};
  TRY(client.call("POST", path_route("mkdir", target) + "&mode=0700"));
  return {};
}

}  // namespace firn::cli
