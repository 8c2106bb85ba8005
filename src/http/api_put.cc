// The routes that replace or remove what has a name: PUT, copy, DELETE.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/random.h"
#include "http/api.h"
#include "http/body_writer.h"
#include "http/file_state.h"

namespace firn::http {

// A file that has no name yet, and the one it is to have.
struct Api::NewFile {
  vfs::Opened opened;
  Asker who;
  Place place;
  std::string path;         // of the place
  bool no_replace = false;  // kExists where something has the name
};

namespace {

// What conditions on `path` are about: what a reader of it gets. `named` is what has the name itself.
io::Task<Result<std::optional<vfs::Attr>>> represented(vfs::Volume& volume, Asker who, std::string path,
                                                       vfs::Attr named) {
  if (named.type != meta::FileType::kSymlink) co_return named;
  Result<vfs::Attr> target = co_await resolve(volume, std::move(who), std::move(path), LastLink::kFollow);
  if (target) co_return *std::move(target);
  if (target.error() == Code::kNotFound) co_return std::nullopt;
  co_return fail(std::move(target).error());
}

// What has the name now; nullopt: nothing.
io::Task<Result<std::optional<vfs::Attr>>> look_up(vfs::Volume& volume, const Asker& who, const Place& place) {
  Result<vfs::Attr> found = co_await volume.lookup(who, place.parent, place.name);
  if (found) co_return *std::move(found);
  if (found.error() == Code::kNotFound) co_return std::nullopt;
  co_return fail(std::move(found).error());
}

io::Task<Result<Verdict>> check_place(vfs::Volume& volume, Exchange& exchange, Asker who, std::string path,
                                      std::optional<vfs::Attr> named) {
  if (!has_conditions(exchange.request())) co_return Verdict::kProceed;
  if (named) named = CO_TRY(co_await represented(volume, std::move(who), std::move(path), *named));
  co_return check_conditions(exchange.request(), named);
}

// Takes a nanosecond from the time that a file which nobody else knows yet was written at. The clock for files moves in
// ticks, and whatever somebody writes once it has a name is of that tick or a later one: the file's tag is a strong one
// without waiting for the tick to end.
io::Task<Result<vfs::Attr>> date_before_tick(vfs::Volume& volume, vfs::Handle* handle, vfs::DoorId door) {
  constexpr uint32_t kLastNanosecond = 999'999'999;
  const InodeId inode = vfs::Volume::inode_of(handle);
  const Timestamp written = CO_TRY(co_await volume.getattr(inode)).mtime;
  const Timestamp before = written.nanoseconds > 0 ? Timestamp{written.seconds, written.nanoseconds - 1}
                                                   : Timestamp{written.seconds - 1, kLastNanosecond};
  const meta::Credentials whoever_writes{.door = door};
  co_return co_await volume.setattr(whoever_writes, inode, {.attributes = {.mtime = before}, .size = std::nullopt},
                                    handle);
}

// Of an old file, that its replacement keeps.
uint32_t mode_of(const std::optional<vfs::Attr>& old, uint32_t fallback) {
  return old && old->type == meta::FileType::kRegular ? old->mode & 0777 : fallback;
}

}  // namespace

// Readers of the name see the old content until the new one is there whole and durable.
io::Task<Result<void>> Api::put_file(Exchange& exchange, std::string path) {
  vfs::Volume& volume = options_.volume;
  const Asker who = credentials(exchange);
  if (path.ends_with('/')) co_return fail(Code::kIsDirectory, "the path names a directory");
  if (exchange.request().header("content-range"))
    co_return fail(Code::kInvalid, "PUT takes whole files only; PATCH writes a part");
  const Place place = CO_TRY(co_await resolve_parent(volume, who, path));
  const auto old = CO_TRY(co_await look_up(volume, who, place));
  const uint32_t mode = CO_TRY(mode_parameter(exchange.request(), mode_of(old, 0644)));
  if (old && old->type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  // Before the body: whoever waits for 100 Continue does not send it in vain.
  if (CO_TRY(co_await check_place(volume, exchange, who, path, old)) != Verdict::kProceed)
    co_return co_await exchange.respond(failed_condition());

  // Write permission first: an unnamed file only needs it when it is linked, after the whole body.
  CO_TRY(co_await volume.access(who, place.parent, W_OK | X_OK));
  const vfs::Opened opened =
      CO_TRY(co_await volume.create_unnamed(who, place.parent, {.mode = mode}, {.flags = O_WRONLY}));
  Result<void> filled = co_await receive_body(exchange, opened.handle);
  const NewFile file{.opened = opened, .who = who, .place = place, .path = path};
  co_return co_await finish(exchange, file, std::move(filled));
}

// The file goes with what was reserved for it if the body does not come whole.
io::Task<Result<void>> Api::receive_body(Exchange& exchange, vfs::Handle* handle) {
  BodyWriter body(exchange, options_.volume, handle);
  CO_TRY(co_await body.read_ahead());
  CO_TRY(co_await body.write_all({.reserved_bytes = exchange.request().content_length.value_or(0)}));
  co_return Result<void>();
}

io::Task<Result<void>> Api::finish(Exchange& exchange, const NewFile& file, Result<void> filled) {
  vfs::Volume& volume = options_.volume;
  const InodeId inode = file.opened.attr.inode;
  Result<vfs::Attr> dated = vfs::Attr();
  if (filled) dated = co_await date_before_tick(volume, file.opened.handle, options_.door);
  if (!dated) filled = fail(dated.error());
  if (filled) filled = co_await volume.fsync(file.opened.handle, false);
  Result<Published> published = Published::kRefused;
  if (filled) published = co_await publish(exchange, file);
  if (filled && published && *published != Published::kRefused)
    filled = co_await volume.fsync_directory(file.place.parent);
  const Result<void> released = co_await volume.release(file.opened.handle);
  CO_TRY(std::move(filled));
  const Published outcome = CO_TRY(std::move(published));
  if (outcome == Published::kRefused) co_return co_await exchange.respond(failed_condition());
  CO_TRY(Result<void>(released));
  Response response{.status = outcome == Published::kReplaced ? 204 : 201, .content_type = ""};
  // The tag of what was put: nobody else's.
  const Result<vfs::Attr> now = co_await volume.getattr(inode);
  if (now && now->mtime == dated->mtime && now->size == dated->size) response.headers = validator_headers(*now, true);
  co_return co_await exchange.respond(std::move(response));
}

io::Task<Result<Api::Published>> Api::publish(Exchange& exchange, const NewFile& file) {
  std::string temporary;
  Result<Published> published = co_await publish_by(exchange, file, &temporary);
  // The failure that counts is the other one.
  if (!temporary.empty()) (void)co_await options_.volume.unlink(file.who, file.place.parent, temporary);
  co_return published;
}

// What the conditions were found to hold for is what goes, whatever other doors do. The lock is for order among
// requests.
io::Task<Result<Api::Published>> Api::publish_by(Exchange& exchange, const NewFile& file, std::string* temporary) {
  vfs::Volume& volume = options_.volume;
  const InodeId inode = file.opened.attr.inode;
  const Place& place = file.place;
  Status overtaken = Code::kStale;
  for (Retry retry; co_await retry.after(overtaken);) {
    overtaken = Code::kStale;
    const auto old = CO_TRY(co_await look_up(volume, file.who, place));
    if (!old) {
      if (check_conditions(exchange.request(), std::nullopt) != Verdict::kProceed) co_return Published::kRefused;
      const Result<vfs::Attr> linked = co_await volume.link(file.who, inode, place.parent, place.name);
      if (linked) co_return Published::kCreated;
      if (linked.error() == Code::kExists) continue;
      co_return fail(linked.error());
    }
    if (old->type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
    if (file.no_replace) co_return fail(Code::kExists);
    const InodeLocks::Guard guard = co_await changing_.lock(old->inode);
    const auto still = CO_TRY(co_await look_up(volume, file.who, place));
    if (!still || still->inode != old->inode) continue;
    if (CO_TRY(co_await check_place(volume, exchange, file.who, file.path, still)) != Verdict::kProceed)
      co_return Published::kRefused;
    const bool conditional = has_conditions(exchange.request());
    const Result<void> replaced = co_await replace(file, conditional ? &*still : nullptr, temporary);
    if (replaced) co_return Published::kReplaced;
    if (!conditional) co_return fail(replaced.error());
    overtaken = replaced.error();
  }
  if (overtaken != Code::kStale) co_return fail(std::move(overtaken));
  co_return fail(Code::kBusy, "others keep replacing the file");
}

// An inode that has lost its last name gets none again, so the temporary one stays until the file is published.
io::Task<Result<void>> Api::replace(const NewFile& file, const vfs::Attr* expected, std::string* temporary) {
  vfs::Volume& volume = options_.volume;
  const InodeId parent = file.place.parent;
  if (temporary->empty()) {
    std::string name = fmt::format(".firn-put-{:016x}", system_random().next());
    CO_TRY(co_await volume.link(file.who, file.opened.attr.inode, parent, name));
    *temporary = std::move(name);
  }
  CO_TRY(co_await volume.rename(file.who, parent, *temporary, parent, file.place.name, {.replaces = expected}));
  temporary->clear();
  co_return Result<void>();
}

io::Task<Result<void>> Api::copy(Exchange& exchange, std::string) {
  vfs::Volume& volume = options_.volume;
  const Request& request = exchange.request();
  const std::string from = CO_TRY(path_parameter(request, "from"));
  const std::string to = CO_TRY(path_parameter(request, "to"));
  const bool no_replace = CO_TRY(flag_parameter(request, "no_replace"));
  const Asker who = credentials(exchange);
  const vfs::Attr source = CO_TRY(co_await resolve(volume, who, from, LastLink::kFollow));
  if (source.type == meta::FileType::kDirectory)
    co_return fail(Code::kIsDirectory, "only files are copied; this is a directory");
  if (source.type != meta::FileType::kRegular) co_return fail(Code::kInvalid, "not a regular file");
  if (to.ends_with('/')) co_return fail(Code::kIsDirectory, "\"to\" names a directory");
  const Place place = CO_TRY(co_await resolve_parent(volume, who, to));
  const auto old = CO_TRY(co_await look_up(volume, who, place));
  if (old && no_replace) co_return fail(Code::kExists, "\"to\" exists");
  CO_TRY(co_await volume.access(who, place.parent, W_OK | X_OK));
  const vfs::Opened reader = CO_TRY(co_await volume.open(who, source.inode, {.flags = O_RDONLY}));
  const meta::NodeSpec spec{.mode = mode_of(old, source.mode & 0777)};
  const Result<vfs::Opened> writer = co_await volume.create_unnamed(who, place.parent, spec, {.flags = O_WRONLY});
  Result<void> filled;
  if (writer) filled = co_await copy_content(exchange, reader.handle, writer->handle);
  (void)co_await volume.release(reader.handle);  // it was only read
  const NewFile file{
      .opened = CO_TRY(Result<vfs::Opened>(writer)), .who = who, .place = place, .path = to, .no_replace = no_replace};
  co_return co_await finish(exchange, file, std::move(filled));
}

// Shares the blocks where the disk's file system can.
io::Task<Result<void>> Api::copy_content(Exchange& exchange, vfs::Handle* source, vfs::Handle* target) {
  constexpr uint64_t kStepBytes = 64 << 20;
  for (uint64_t offset = 0;;) {
    if (exchange.closing().cancelled()) co_return fail(Code::kUnavailable, "the daemon is stopping");
    const uint64_t bytes = CO_TRY(co_await options_.volume.copy_range(source, offset, target, offset, kStepBytes));
    if (bytes == 0) co_return Result<void>();
    offset += bytes;
  }
}

// A file, or an empty directory.
io::Task<Result<void>> Api::remove(Exchange& exchange, std::string path) {
  Retry retry;
  for (;;) {
    const Result<bool> removed = co_await remove_once(exchange, path);
    if (removed) co_return co_await exchange.respond(*removed ? Response{204, "", "", {}} : failed_condition());
    if (!has_conditions(exchange.request()) || !co_await retry.after(removed.error())) co_return fail(removed.error());
  }
}

io::Task<Result<bool>> Api::remove_once(Exchange& exchange, std::string path) {
  vfs::Volume& volume = options_.volume;
  const Asker who = credentials(exchange);
  const Place place = CO_TRY(co_await resolve_parent(volume, who, path));
  const auto named = CO_TRY(co_await look_up(volume, who, place));
  if (!named) {
    if (check_conditions(exchange.request(), std::nullopt) != Verdict::kProceed) co_return false;
    co_return fail(Code::kNotFound);
  }
  const InodeLocks::Guard guard = co_await changing_.lock(named->inode);
  const auto still = CO_TRY(co_await look_up(volume, who, place));
  if (CO_TRY(co_await check_place(volume, exchange, who, path, still)) != Verdict::kProceed) co_return false;
  if (!still) co_return fail(Code::kNotFound);
  const vfs::Attr* const expected = has_conditions(exchange.request()) ? &*still : nullptr;
  Result<void> removed = co_await volume.unlink(who, place.parent, place.name, expected);
  if (!removed && removed.error() == Code::kIsDirectory)
    removed = co_await volume.rmdir(who, place.parent, place.name, expected);
  CO_TRY(std::move(removed));
  co_return true;
}

}  // namespace firn::http
