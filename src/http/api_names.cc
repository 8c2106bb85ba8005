// The routes that make and move names: mkdir, move, link, symlink.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "http/api.h"
#include "http/file_state.h"
#include "http/json.h"
#include "http/path_walk.h"

namespace firn::http {
namespace {

Response json_response(const nlohmann::json& body, int status = 200) {
  return {status, "application/json", dump_json(body), {}};
}

// What Linux asks of whoever links a file (fs.protected_hardlinks): it is theirs, or they may read and write it and it
// lends nobody's rights.
io::Task<Result<void>> check_linkable(vfs::Volume& volume, const Asker& who, const vfs::Attr& attr) {
  constexpr uint32_t kSetUid = 04000, kSetGidExecutable = 02010;
  if (who.privileged() || who.uid == attr.uid) co_return Result<void>();
  const bool lends = (attr.mode & kSetUid) != 0 || (attr.mode & kSetGidExecutable) == kSetGidExecutable;
  const bool plain = attr.type == meta::FileType::kRegular && !lends;
  if (!plain || !co_await volume.access(who, attr.inode, R_OK | W_OK))
    co_return fail(Code::kNotPermitted, "only the owner, and who may read and write a plain file, may link it");
  co_return Result<void>();
}

}  // namespace

io::Task<Result<void>> Api::make_directory(Exchange& exchange, std::string) {
  const std::string path = CO_TRY(path_parameter(exchange.request(), "path"));
  const uint32_t mode = CO_TRY(mode_parameter(exchange.request(), 0755));
  const bool parents = CO_TRY(flag_parameter(exchange.request(), "parents"));
  const Asker who = credentials(exchange);
  const meta::NodeSpec spec{.type = meta::FileType::kDirectory, .mode = mode};
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

struct Api::Move {
  Asker who;
  Place source, target;
  meta::RenameOptions options;

  // Of `source`.
  static bool is_conditional(const Exchange& exchange) { return exchange.request().header("if-match").has_value(); }
};

io::Task<Result<void>> Api::move(Exchange& exchange, std::string) {
  const std::string from = CO_TRY(path_parameter(exchange.request(), "from"));
  const std::string to = CO_TRY(path_parameter(exchange.request(), "to"));
  const meta::RenameOptions options{.no_replace = CO_TRY(flag_parameter(exchange.request(), "no_replace"))};
  const Asker who = credentials(exchange);
  const Place source = CO_TRY(co_await resolve_parent(options_.volume, who, from));
  const Place target = CO_TRY(co_await resolve_parent(options_.volume, who, to));
  const bool durable = CO_TRY(flag_parameter(exchange.request(), "durable"));
  const Move move{who, source, target, options};
  Result<bool> moved = co_await move_once(exchange, move);
  for (Retry retry; !moved && move.is_conditional(exchange) && co_await retry.after(moved.error());)
    moved = co_await move_once(exchange, move);
  if (!CO_TRY(std::move(moved))) co_return co_await exchange.respond(failed_condition());
  if (durable) CO_TRY(co_await options_.volume.fsync_directory(target.parent));
  co_return co_await exchange.respond({204, "", "", {}});
}

io::Task<Result<bool>> Api::move_once(Exchange& exchange, const Move& move) {
  vfs::Volume& volume = options_.volume;
  const auto& [who, source, target, flags] = move;
  meta::RenameOptions options = flags;
  vfs::Attr still;
  std::optional<InodeLocks::Guard> guard;
  if (move.is_conditional(exchange)) {
    const vfs::Attr named = CO_TRY(co_await volume.lookup(who, source.parent, source.name));
    guard.emplace(co_await changing_.lock(named.inode));
    still = CO_TRY(co_await volume.lookup(who, source.parent, source.name));
    if (check_conditions(exchange.request(), still) != Verdict::kProceed) co_return false;
    options.moves = &still;
  }
  CO_TRY(co_await volume.rename(who, source.parent, source.name, target.parent, target.name, options));
  co_return true;
}

io::Task<Result<void>> Api::link(Exchange& exchange, std::string) {
  const std::string from = CO_TRY(path_parameter(exchange.request(), "from"));
  const std::string to = CO_TRY(path_parameter(exchange.request(), "to"));
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, from, LastLink::kKeep));
  if (attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory, "a directory has one name only");
  CO_TRY(co_await check_linkable(options_.volume, who, attr));
  const Place place = CO_TRY(co_await resolve_parent(options_.volume, who, to));
  const vfs::Attr linked = CO_TRY(co_await options_.volume.link(who, attr.inode, place.parent, place.name));
  co_return co_await exchange.respond(json_response(json_of(linked), 201));
}

io::Task<Result<void>> Api::make_symlink(Exchange& exchange, std::string) {
  const std::string path = CO_TRY(path_parameter(exchange.request(), "path"));
  const std::string target = CO_TRY(parameter(exchange.request(), "target"));
  if (target.empty()) co_return fail(Code::kInvalid, "\"target\" is empty");
  if (target.size() > meta::kMaxSymlinkBytes) co_return fail(Code::kNameTooLong, "\"target\" is too long");
  const Asker who = credentials(exchange);
  const Place place = CO_TRY(co_await resolve_parent(options_.volume, who, path));
  const meta::NodeSpec spec{.type = meta::FileType::kSymlink, .mode = 0777, .target = target};
  const vfs::Attr made = CO_TRY(co_await options_.volume.make_node(who, place.parent, place.name, spec));
  co_return co_await exchange.respond(json_response(json_of(made), 201));
}

}  // namespace firn::http
