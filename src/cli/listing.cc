#include "cli/listing.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>

#include "cli/json.h"

namespace firn::cli {
namespace {

using nlohmann::json;

constexpr const char* kNonsense = "the daemon's answer is none about files";

template <class Number>
Number number_of(std::string_view digits, int base = 10) {
  Number number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  return number;
}

std::string unhex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(number_of<uint8_t>(hex.substr(i, 2), 16));
  return bytes;
}

// "S.F" with nine digits behind the point.
Timestamp time_of(std::string_view text) {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  return {number_of<int64_t>(text.substr(0, point)), number_of<uint32_t>(fraction)};
}

FileKind kind_of(const std::string& type) {
  if (type == "file") return FileKind::kFile;
  if (type == "directory") return FileKind::kFolder;
  return type == "symlink" ? FileKind::kSymlink : FileKind::kOther;
}

// A server is not to choose where on this machine something is written.
bool stays_below(std::string_view path) {
  return !path.empty() && !path.contains('\0') && std::ranges::none_of(std::views::split(path, '/'), [](auto part) {
    const std::string_view name(part.begin(), part.end());
    return name.empty() || name == "." || name == "..";
  });
}

}  // namespace

Result<Entry> attributes_in(const json& object) {
  try {
    Entry entry{.type = object.value("type", ""),
                .inode = object.value("inode", uint64_t{0}),
                .nlink = object.value("nlink", uint64_t{0}),
                .size = object.value("size", uint64_t{0}),
                .mode = number_of<uint32_t>(object.value("mode", ""), 8),
                .mtime = time_of(object.value("mtime", "0")),
                .unreadable = object.value("unreadable", false),
                .symlink = bytes_of(object, "target")};
    entry.kind = kind_of(entry.type);
    return entry;
  } catch (const json::exception&) {  // a member of another type, or no object
    return fail(Code::kIo, kNonsense);
  }
}

std::string bytes_of(const json& object, const std::string& member) {
  const auto text = [&object](const std::string& name) -> std::string {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
  };
  const std::string hex = text(member + "_hex");
  return hex.empty() ? text(member) : unhex(hex);
}

Result<Entry> entry_of(const json& object) {
  Entry entry = TRY(attributes_in(object));
  entry.path = bytes_of(object, "name");
  if (!stays_below(entry.path)) return fail(Code::kIo, "the daemon's listing names what is not in the folder");
  return entry;
}

Result<Entry> attributes_of(Client& client, const Target& target, Look look) {
  const auto reply = TRY(client.call("GET", route_to("meta", target) + (look.follow ? "?follow=1" : "")));
  const json object = TRY(parse_answer(reply.body));
  return attributes_in(object);
}

Status list_tree(Client& client, const Target& target, const EntrySink& sink) {
  constexpr const char* kQuery = "?recursive=1&limit=10000&after=";
  std::string after;
  do {
    const auto reply = TRY(client.call("GET", route_to("ls", target) + kQuery + after));
    const json page = TRY(parse_answer(reply.body));
    if (!page.contains("entries") || !page.contains("next")) return Status(Code::kIo, kNonsense);
    for (const json& object : page.at("entries")) {
      const Entry entry = TRY(entry_of(object));
      TRY(sink(entry, object));
    }
    after = page.at("next").is_string() ? page.at("next").get<std::string>() : "";
  } while (!after.empty());
  return {};
}

std::string joined(const std::string& folder, const std::string& below) {
  if (below.empty()) return folder;
  return folder + (folder.ends_with('/') ? "" : "/") + below;
}

std::string last_name(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return "";
  const size_t slash = path.rfind('/', end);
  const size_t start = slash == std::string::npos ? 0 : slash + 1;
  const std::string name = path.substr(start, end + 1 - start);
  return name == "." || name == ".." ? "" : name;
}

Target below(const Target& target, const std::string& path) { return {target.served, joined(target.inner, path)}; }

}  // namespace firn::cli
