#include "http/event_view.h"

#include <nlohmann/json.hpp>

#include "http/json.h"
#include "meta/file_type.h"

namespace firn::http {

namespace {

using meta::Event;
using meta::EventKind;
using nlohmann::json;

std::string_view kind_name(EventKind kind) {
  switch (kind) {
    case EventKind::kCreated:
      return "created";
    case EventKind::kRemoved:
      return "removed";
    case EventKind::kRenamed:
      return "renamed";
    case EventKind::kExchanged:
      return "exchanged";
    case EventKind::kLinked:
      return "linked";
    case EventKind::kContent:
      return "content";
    case EventKind::kAttributes:
      return "attributes";
    case EventKind::kXattr:
      return "xattr";
    case EventKind::kPolicy:
      return "policy";
  }
  return "unknown";
}

bool below(std::string_view folder, std::string_view path) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

bool inside(std::string_view folder, const std::optional<std::string>& path) {
  if (!path) return folder.empty();
  return folder.empty() || *path == folder || below(folder, *path);
}

bool above(std::string_view folder, const std::optional<std::string>& path) { return path && below(*path, folder); }

json line_of(std::string_view what, const Event& event, std::string_view cursor) {
  json line = {{"cursor", cursor}, {"event", what}, {"time", text_of(event.time)}};
  line["uid"] = event.uid ? json(*event.uid) : json(nullptr);
  return line;
}

void put_path(json& line, const std::string& member, const std::optional<std::string>& path) {
  line[member] = nullptr;
  if (path) put_text(line, member, *path);
}

void put_inode(json& line, const Event& event) {
  line["inode"] = event.inode.value;
  line["type"] = meta::name_of(event.type);
  line["nlink"] = event.nlink;
  line["size"] = event.size;
}

void put_other(json& line, const Event& event) {
  line["replaced"] = {
      {"inode", event.other.value}, {"type", meta::name_of(event.other_type)}, {"nlink", event.other_nlink}};
}

// The folder itself was moved, with what it is in.
std::string of_folder(std::string_view what, const PlacedEvent& placed, std::string_view folder,
                      std::string_view cursor) {
  json line = line_of(what, placed.event, cursor);
  put_text(line, "path", folder);
  line["type"] = meta::name_of(meta::FileType::kDirectory);
  return dump_json(line);
}

std::string of_inode(std::string_view what, const PlacedEvent& placed, const std::optional<std::string>& path,
                     std::string_view cursor) {
  json line = line_of(what, placed.event, cursor);
  put_path(line, "path", path);
  put_inode(line, placed.event);
  return dump_json(line);
}

// An exchange of which one side is in the folder: what is there is another now.
std::string of_one_side(const PlacedEvent& placed, bool at_inside, std::string_view cursor) {
  const Event& event = placed.event;
  json line = line_of("created", event, cursor);
  put_path(line, "path", at_inside ? placed.at : placed.from);
  if (at_inside) {
    put_inode(line, event);
    put_other(line, event);
  } else {
    line["inode"] = event.other.value;
    line["type"] = meta::name_of(event.other_type);
    line["nlink"] = event.other_nlink;
    line["replaced"] = {{"inode", event.inode.value}, {"type", meta::name_of(event.type)}, {"nlink", event.nlink}};
  }
  return dump_json(line);
}

std::optional<std::string> show_move(const PlacedEvent& placed, std::string_view folder, std::string_view cursor) {
  const bool exchanges = placed.event.kind == EventKind::kExchanged;
  const bool to = inside(folder, placed.at), from = inside(folder, placed.from);
  if (!to && !from) {
    if (above(folder, placed.at) || (exchanges && above(folder, placed.from)))
      return of_folder("created", placed, folder, cursor);
    if (above(folder, placed.from)) return of_folder("removed", placed, folder, cursor);
    return std::nullopt;
  }
  if (exchanges && to != from) return of_one_side(placed, to, cursor);
  if (!to) return of_inode("removed", placed, placed.from, cursor);
  json line = line_of(from ? kind_name(placed.event.kind) : "created", placed.event, cursor);
  put_path(line, "path", placed.at);
  if (from) put_path(line, "from", placed.from);
  put_inode(line, placed.event);
  if (placed.event.other) put_other(line, placed.event);
  return dump_json(line);
}

}  // namespace

std::optional<std::string> show_event(const PlacedEvent& placed, std::string_view folder, std::string_view cursor) {
  const Event& event = placed.event;
  if (event.kind == EventKind::kRenamed || event.kind == EventKind::kExchanged)
    return show_move(placed, folder, cursor);
  if (!inside(folder, placed.at)) return std::nullopt;
  json line = line_of(kind_name(event.kind), event, cursor);
  put_path(line, "path", placed.at);
  put_inode(line, event);
  if (event.kind == EventKind::kXattr) put_text(line, "xattr", event.xattr);
  return dump_json(line);
}

}  // namespace firn::http
