#include "http/path_walk.h"

#include <algorithm>
#include <deque>

namespace firn::http {
namespace {

using Names = std::deque<std::string>;

Names split(std::string_view path) {
  Names names;
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (end > 0) names.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

bool begins_with(const Names& names, const Names& start) {
  return names.size() >= start.size() && std::equal(start.begin(), start.end(), names.begin());
}

// Where the walk stands: the current node and the directories above it, root first.
struct Walk {
  vfs::Attr at;
  std::deque<vfs::Attr> above;
  Names names = {};  // from the root to `at`
  Names rest = {};
  Names scope = {};
  int links = 0;
};

Status outside() { return Status(Code::kAccessDenied, "the path leads out of the folder that the token is for"); }

io::Task<Result<void>> follow(vfs::Volume& volume, const vfs::Attr& link, Walk& walk) {
  if (++walk.links > kMaxSymlinks) co_return fail(Code::kLoop);
  const std::string target = CO_TRY(co_await volume.readlink(link.inode));
  Names names = split(target);
  walk.rest.insert(walk.rest.begin(), names.begin(), names.end());
  if (target.starts_with('/') && !walk.above.empty()) {
    walk.at = walk.above.front();
    walk.above.clear();
    walk.names.clear();
  }
  co_return {};
}

io::Task<Result<void>> step(vfs::Volume& volume, const meta::Credentials& who, LastLink last_link, Walk& walk) {
  const std::string name = std::move(walk.rest.front());
  walk.rest.pop_front();
  if (walk.at.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  if (name == ".") co_return {};
  if (name == "..") {
    if (walk.above.empty()) co_return {};
    walk.at = walk.above.back();
    walk.above.pop_back();
    walk.names.pop_back();
    co_return {};
  }
  walk.names.push_back(name);
  // Before it is looked up: what is there outside is not told either.
  if (!begins_with(walk.names, walk.scope) && !begins_with(walk.scope, walk.names)) co_return fail(outside());
  vfs::Attr next = CO_TRY(co_await volume.lookup(who, walk.at.inode, name));
  if (next.type == meta::FileType::kSymlink && (!walk.rest.empty() || last_link == LastLink::kFollow)) {
    walk.names.pop_back();
    co_return co_await follow(volume, next, walk);
  }
  walk.above.push_back(walk.at);
  walk.at = std::move(next);
  co_return {};
}

}  // namespace

bool in_scope(std::string_view scope, std::string_view path) {
  Names names = split(path);
  if (std::ranges::find(names, "..") != names.end()) return scope.empty();
  std::erase(names, ".");
  return begins_with(names, split(scope));
}

bool above_scope(std::string_view scope, std::string_view path) {
  const Names names = split(path), limit = split(scope);
  return names.size() < limit.size() && begins_with(limit, names);
}

io::Task<Result<vfs::Attr>> resolve(vfs::Volume& volume, Asker who, std::string path, LastLink last_link) {
  // Of the root, which every walk begins at, the rest is asked for where it is the end.
  Walk walk;
  walk.at.inode = kRootInode;
  walk.at.type = meta::FileType::kDirectory;
  walk.rest = split(path);
  walk.scope = split(who.scope);
  while (!walk.rest.empty()) CO_TRY(co_await step(volume, who, last_link, walk));
  if (!begins_with(walk.names, walk.scope)) co_return fail(outside());
  if (path.ends_with('/') && walk.at.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  if (walk.at.inode == kRootInode) co_return co_await volume.getattr(kRootInode);
  co_return walk.at;
}

io::Task<Result<Place>> resolve_parent(vfs::Volume& volume, Asker who, std::string path) {
  while (path.ends_with('/')) path.pop_back();
  const size_t slash = path.rfind('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") co_return fail(Code::kInvalid, "the path does not end in a name");
  const std::string folder = path.substr(0, slash == std::string::npos ? 0 : slash);
  const vfs::Attr parent = CO_TRY(co_await resolve(volume, std::move(who), folder, LastLink::kFollow));
  if (parent.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  co_return Place{parent.inode, std::move(name)};
}

}  // namespace firn::http
