// GET /v1/events: what changes, as server-sent events (WHATWG HTML, "Server-sent events").
#include "http/api.h"
#include "http/event_streams.h"

namespace firn::http {
namespace {

// "/a/b/" as "/a/b", "/" as "": paths of events have no symlinks and no "..".
Result<std::string> folder_of(const Request& request, const std::string& scope) {
  std::string_view rest = request.parameter("path").value_or("/");
  if (!rest.starts_with('/')) return fail(Code::kInvalid, "\"path\" must be an absolute path of the volume");
  std::string folder;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, end);
    if (name == "." || name == "..") return fail(Code::kInvalid, "\"path\" must not contain . or ..");
    if (!name.empty()) folder.append("/").append(name);
    rest.remove_prefix(end);
  }
  if (!in_scope(scope, folder.empty() ? "/" : folder)) return fail(Code::kAccessDenied);
  return folder;
}

// An event names what its maker's directories hide from others.
Status check_may_follow(const Peer& peer, uint32_t owner_uid) {
  if (peer.uid == 0 || peer.uid == owner_uid) return {};
  return Status(Code::kAccessDenied,
                "only root and the daemon's owner, and tokens that act as one of them, may follow");
}

}  // namespace

io::Task<Result<void>> Api::events(Exchange& exchange, std::string) {
  const Request& request = exchange.request();
  CO_TRY(check_may_follow(exchange.peer(), options_.owner_uid));
  if (options_.events == nullptr)
    co_return fail(Code::kNotSupported, "no log of changes is kept here: events.keep is 0, or another machine writes");
  EventStreams& streams = *options_.events;
  meta::EventLog& log = streams.log();
  EventStreams::Query query{.folder = CO_TRY(folder_of(request, exchange.peer().scope))};
  if (request.parameter("follow")) query.follow = CO_TRY(flag_parameter(request, "follow"));
  // A browser that reconnects sends its header with the address that it was given at first.
  const std::string_view since = request.header("last-event-id").value_or(request.parameter("since").value_or("now"));
  // What was answered before is part of what there is, and past.
  if (!query.follow || since == "now") CO_TRY(co_await log.sync());
  const uint64_t oldest = log.oldest(), durable = log.durable();
  if (since == "now") {
    query.after = durable;
  } else if (since == "oldest") {
    query.after = oldest - 1;
  } else {
    const EventCursor cursor = CO_TRY(EventCursor::parse(since));
    if (cursor.log != log.id() || cursor.sequence > durable)
      co_return co_await exchange.respond(
          cursor_expired(streams, oldest, "the cursor is of another log: list again, and follow from here"));
    if (cursor.sequence + 1 < oldest)
      co_return co_await exchange.respond(
          cursor_expired(streams, oldest, "events after the cursor were discarded: list again, and follow from here"));
    query.after = cursor.sequence;
  }
  co_return co_await streams.answer(exchange, std::move(query));
}

}  // namespace firn::http
