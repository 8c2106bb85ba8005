// The routes that deal with names: ls, stat, mkdir, move, DELETE.
#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "http/api.h"
#include "http/json.h"
#include "http/path_walk.h"

namespace firn::http {
namespace {

constexpr uint64_t kMaxPage = 10'000;

Response json_response(const nlohmann::json& body, int status = 200) {
  return {status, "application/json", dump_json(body), {}};
}

// One page of a directory, "." and ".." left out.
io::Task<Result<nlohmann::json>> list_page(vfs::Volume& volume, vfs::DirHandle* handle, uint64_t after,
                                           uint64_t limit) {
  nlohmann::json entries = nlohmann::json::array();
  uint64_t cookie = after;
  while (entries.size() < limit) {
    const auto page = CO_TRY(co_await volume.list(handle, cookie, limit - entries.size(), true));
    for (const vfs::Listed& entry : page) {
      cookie = entry.cookie;
      if (entry.name == "." || entry.name == "..") continue;
      entries.push_back(entry.attr ? json_of(*entry.attr) : nlohmann::json::object());
      put_name(entries.back(), entry.name);
    }
    if (page.empty()) {
      co_return nlohmann::json{{"entries", std::move(entries)}, {"next", nullptr}};
    }
  }
  co_return nlohmann::json{{"entries", std::move(entries)}, {"next", std::to_string(cookie)}};
}

}  // namespace

io::Task<Result<void>> Api::list(Exchange& exchange) {
  const std::string path = CO_TRY(parameter(exchange.request(), "path"));
  const uint64_t after = CO_TRY(number_parameter(exchange.request(), "after", 0));
  const uint64_t limit = CO_TRY(number_parameter(exchange.request(), "limit", 1000));
  if (limit == 0 || limit > kMaxPage) co_return fail(Code::kInvalid, "\"limit\" must be from 1 to 10000");
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, LastLink::kFollow));
  if (attr.type != meta::FileType::kDirectory) co_return fail(Code::kNotDirectory);
  CO_TRY(co_await options_.volume.access(who, attr.inode, R_OK));
  vfs::DirHandle* handle = CO_TRY(co_await options_.volume.open_directory(who, attr.inode));
  Result<nlohmann::json> page = co_await list_page(options_.volume, handle, after, limit);
  options_.volume.release_directory(handle);
  co_return co_await exchange.respond(json_response(CO_TRY(std::move(page))));
}

io::Task<Result<void>> Api::stat(Exchange& exchange) {
  const std::string path = CO_TRY(parameter(exchange.request(), "path"));
  const bool follow = exchange.request().parameter("follow") == "1";
  const vfs::Attr attr = CO_TRY(
      co_await resolve(options_.volume, credentials(exchange), path, follow ? LastLink::kFollow : LastLink::kKeep));
  nlohmann::json body = json_of(attr);
  if (attr.type == meta::FileType::kSymlink) body["target"] = CO_TRY(co_await options_.volume.readlink(attr.inode));
  co_return co_await exchange.respond(json_response(body));
}

io::Task<Result<void>> Api::make_directory(Exchange& exchange) {
  const std::string path = CO_TRY(parameter(exchange.request(), "path"));
  const uint64_t mode = CO_TRY(number_parameter(exchange.request(), "mode", 0755, 8));
  if (mode > 07777) co_return fail(Code::kInvalid, "\"mode\" must be octal, at most 7777");
  const bool parents = exchange.request().parameter("parents") == "1";
  const Asker who = credentials(exchange);
  const meta::NodeSpec spec{.type = meta::FileType::kDirectory, .mode = static_cast<uint32_t>(mode)};
  if (parents) {
    // Every prefix that is missing; what exists and is no directory fails at the next step.
    for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (above_scope(who.scope, path.substr(0, slash))) continue;
      const Result<vfs::Attr> there = co_await resolve(options_.volume, who, path.substr(0, slash), LastLink::kFollow);
      if (there) continue;
      const Place at = CO_TRY(co_await resolve_parent(options_.volume, who, path.substr(0, slash)));
      const Result<vfs::Attr> made = co_await options_.volume.make_node(who, at.parent, at.name, spec);
      if (!made && made.error().code() != Code::kExists) co_return fail(made.error());
    }
    const Result<vfs::Attr> there = co_await resolve(options_.volume, who, path, LastLink::kFollow);
    if (there && there->type == meta::FileType::kDirectory)
      co_return co_await exchange.respond(json_response(json_of(*there)));
  }
  const Place place = CO_TRY(co_await resolve_parent(options_.volume, who, path));
  const vfs::Attr made = CO_TRY(co_await options_.volume.make_node(who, place.parent, place.name, spec));
  co_return co_await exchange.respond(json_response(json_of(made), 201));
}

io::Task<Result<void>> Api::move(Exchange& exchange) {
  const std::string from = CO_TRY(parameter(exchange.request(), "from"));
  const std::string to = CO_TRY(parameter(exchange.request(), "to"));
  const meta::RenameOptions options{.no_replace = exchange.request().parameter("no_replace") == "1"};
  const Asker who = credentials(exchange);
  const Place source = CO_TRY(co_await resolve_parent(options_.volume, who, from));
  const Place target = CO_TRY(co_await resolve_parent(options_.volume, who, to));
  CO_TRY(co_await options_.volume.rename(who, source.parent, source.name, target.parent, target.name, options));
  co_return co_await exchange.respond({204, "", "", {}});
}

// A file, or an empty directory.
io::Task<Result<void>> Api::remove(Exchange& exchange, std::string path) {
  const Asker who = credentials(exchange);
  const Place place = CO_TRY(co_await resolve_parent(options_.volume, who, path));
  Result<void> removed = co_await options_.volume.unlink(who, place.parent, place.name);
  if (!removed && removed.error().code() == Code::kIsDirectory)
    removed = co_await options_.volume.rmdir(who, place.parent, place.name);
  CO_TRY(std::move(removed));
  co_return co_await exchange.respond({204, "", "", {}});
}

}  // namespace firn::http
