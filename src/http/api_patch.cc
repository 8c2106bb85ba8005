// PATCH of files: writes into a file where it is, appends to it, or sets its size.
#include <fcntl.h>
#include <fmt/format.h>

#include "http/api.h"
#include "http/body_writer.h"
#include "http/file_state.h"

namespace firn::http {
namespace {

struct Patch {
  enum class Kind : uint8_t { kWrite, kAppend, kTruncate };
  Kind kind = Kind::kWrite;
  uint64_t offset = 0;  // kWrite: where; kTruncate: the new size
};

Result<Patch> parse_patch(const Request& request) {
  constexpr uint64_t kMost = INT64_MAX;
  const bool append = TRY(flag_parameter(request, "append"));
  const auto has = [&](std::string_view name) { return request.parameter(name).has_value(); };
  if ((append ? 1 : 0) + (has("offset") ? 1 : 0) + (has("truncate") ? 1 : 0) != 1)
    return fail(Code::kInvalid, "PATCH needs one of ?offset=N, ?append=1 and ?truncate=N");
  if (append) return Patch{.kind = Patch::Kind::kAppend};
  const bool truncate = has("truncate");
  const uint64_t number = TRY(number_parameter(request, truncate ? "truncate" : "offset", 0));
  if (number > kMost) return fail(Code::kFileTooBig, "no file is as large as that");
  return Patch{.kind = truncate ? Patch::Kind::kTruncate : Patch::Kind::kWrite, .offset = number};
}

}  // namespace

io::Task<Result<void>> Api::patch_file(Exchange& exchange, std::string path) {
  vfs::Volume& volume = options_.volume;
  const Patch patch = CO_TRY(parse_patch(exchange.request()));
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(volume, who, path, LastLink::kFollow));
  if (attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory, "a directory has no content");
  if (attr.type != meta::FileType::kRegular) co_return fail(Code::kInvalid, "not a regular file");
  // Before the body: whoever waits for 100 Continue does not send it in vain.
  if (check_conditions(exchange.request(), attr) != Verdict::kProceed)
    co_return co_await exchange.respond(failed_condition());
  const int flags = patch.kind == Patch::Kind::kAppend ? O_WRONLY | O_APPEND : O_WRONLY;
  const vfs::Opened opened = CO_TRY(co_await volume.open(who, attr.inode, {.flags = flags}));
  const Result<Changed> changed = co_await change_file(exchange, opened.handle);
  const Result<void> released = co_await volume.release(opened.handle);
  if (const Changed done = CO_TRY(Result<Changed>(changed)); done.refused)
    co_return co_await exchange.respond(failed_condition());
  else
    CO_TRY(Result<void>(released));
  const FileState& file = changed->file;
  Response response{.body = fmt::format(R"({{"size":{},"written":{}}})", file.attr.size, changed->written),
                    .headers = validator_headers(file.attr, file.settled)};
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<Api::Changed>> Api::change_file(Exchange& exchange, vfs::Handle* handle) {
  BodyWriter body(exchange, options_.volume, handle);
  Result<Changed> changed = co_await change_file(exchange, handle, body);
  co_await body.close();
  co_return changed;
}

io::Task<Result<Api::Changed>> Api::change_file(Exchange& exchange, vfs::Handle* handle, BodyWriter& body) {
  vfs::Volume& volume = options_.volume;
  const Patch patch = CO_TRY(parse_patch(exchange.request()));
  const Asker who = credentials(exchange);
  const InodeId inode = vfs::Volume::inode_of(handle);
  CO_TRY(co_await (exchange.body_may_grow_too_large() ? body.read_all(options_.door) : body.read_ahead()));
  const InodeLocks::Guard guard = co_await changing_.lock(inode);
  if (check_conditions(exchange.request(), CO_TRY(co_await volume.getattr(inode))) != Verdict::kProceed)
    co_return Changed{.refused = true};
  Changed changed;
  if (patch.kind == Patch::Kind::kTruncate) {
    CO_TRY(co_await volume.setattr(who, inode, {.attributes = {}, .size = patch.offset}, handle));
  } else {
    const vfs::WriteOptions options{.kill_set_ids = !who.privileged(), .append = patch.kind == Patch::Kind::kAppend};
    changed.written = CO_TRY(co_await body.write_all({.offset = patch.offset, .write = options}));
  }
  CO_TRY(co_await volume.fsync(handle, false));
  // Before the next one changes it.
  changed.file = CO_TRY(co_await state_of(volume, inode));
  co_return changed;
}

}  // namespace firn::http
