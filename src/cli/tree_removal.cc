#include "cli/tree_removal.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ranges>

namespace firn::cli {

Status TreeRemoval::run(Client& client) {
  TRY(list_tree(client, top_, [this](const Entry& entry, const nlohmann::json&) { return add(entry); }));
  // All of it was listed. Those inside others first: a folder with another in it is held by that one.
  for (Folder& folder : std::views::reverse(folders_))
    TRY(transfers_.add(0, [this, &folder](Client& by) { return let_go(by, &folder); }));
  return transfers_.finish();
}

Status TreeRemoval::add(const Entry& entry) {
  const size_t slash = entry.path.rfind('/');
  // One that was not listed was made meanwhile, and stays.
  const auto above = slash == std::string::npos ? by_path_.end() : by_path_.find(entry.path.substr(0, slash));
  Folder* const parent = above == by_path_.end() ? nullptr : above->second;
  if (parent) ++parent->left;
  if (entry.kind == FileKind::kFolder) {
    folders_.emplace_back(entry.path, parent, entry.unreadable);
    by_path_.emplace(entry.path, &folders_.back());
    return {};
  }
  return transfers_.add(0, [this, path = entry.path, parent](Client& client) -> Status {
    TRY(remove(client, path));
    return let_go(client, parent);
  });
}

// What is gone already was to go.
Result<bool> TreeRemoval::remove(Client& client, const std::string& path) {
  const Target target = below(top_, path);
  const auto reply = client.call("DELETE", file_route(target));
  if (reply) ++removed_;
  if (reply || reply.error() == Code::kNotFound) return true;
  if (reply.error() == Code::kNotEmpty) return false;
  return fail(on(target.inner, reply.error()));
}

Status TreeRemoval::let_go(Client& client, Folder* folder) {
  for (; folder && folder->left.fetch_sub(1) == 1; folder = folder->parent)
    if (!TRY(remove(client, folder->path)) && folder->unreadable)
      return Status(Code::kAccessDenied, fmt::format("{}: may not be read", below(top_, folder->path).inner));
  return {};
}

}  // namespace firn::cli
