// The routes that carry content: GET and PUT of files.
#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>

#include "base/random.h"
#include "http/api.h"
#include "http/path_walk.h"

namespace firn::http {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

struct ByteRange {
  uint64_t first = 0;
  uint64_t count = 0;
};

// "bytes=A-B", "bytes=A-" or "bytes=-N"; nullopt for anything else, which RFC 9110 lets us ignore.
std::optional<ByteRange> parse_range(std::string_view text, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto number = [](std::string_view digits) -> std::optional<uint64_t> {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (first && (last || dash + 1 == text.size())) {
    if (*first >= size || (last && *last < *first)) return ByteRange{.first = *first, .count = 0};
    return ByteRange{*first, std::min(last.value_or(UINT64_MAX - 1), size - 1) - *first + 1};
  }
  if (dash == 0 && last) return ByteRange{size - std::min(*last, size), std::min(*last, size)};
  return std::nullopt;
}

}  // namespace

io::Task<Result<void>> Api::get_file(Exchange& exchange, std::string path) {
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, LastLink::kFollow));
  if (attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory, "a directory; list it with /v1/ls");
  if (attr.type != meta::FileType::kRegular) co_return fail(Code::kNotSupported, "not a regular file");
  const vfs::Opened opened = CO_TRY(co_await options_.volume.open(who, attr.inode, {.flags = O_RDONLY}));
  Result<void> sent = co_await send_file(exchange, opened.handle, opened.attr.size);
  (void)co_await options_.volume.release(opened.handle);  // it was only read
  co_return sent;
}

io::Task<Result<void>> Api::send_file(Exchange& exchange, vfs::Handle* handle, uint64_t size) {
  ByteRange range{0, size};
  Headers headers = {{"Content-Type", "application/octet-stream"}, {"Accept-Ranges", "bytes"}};
  const auto asked = exchange.request().header("range");
  const std::optional<ByteRange> part = asked ? parse_range(*asked, size) : std::nullopt;
  if (part && part->count == 0) {
    Response response = problem(416, "the range lies outside the file");
    response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
    co_return co_await exchange.respond(std::move(response));
  }
  if (part) {
    range = *part;
    headers.emplace_back("Content-Range",
                         fmt::format("bytes {}-{}/{}", range.first, range.first + range.count - 1, size));
  }
  CO_TRY(co_await exchange.begin(part ? 206 : 200, std::move(headers), range.count));
  if (exchange.request().method == "HEAD") co_return co_await exchange.end();
  std::vector<std::byte> buffer(std::min<uint64_t>(kBufferBytes, range.count));
  while (range.count > 0) {
    const std::span<std::byte> room(buffer.data(), std::min<uint64_t>(buffer.size(), range.count));
    const size_t bytes = CO_TRY(co_await options_.volume.read(handle, range.first, room));
    if (bytes == 0) break;  // truncated meanwhile; end() says so by closing the connection
    CO_TRY(co_await exchange.write(room.first(bytes)));
    range.first += bytes;
    range.count -= bytes;
  }
  co_return co_await exchange.end();
}

// Readers of the name see the old content until the new one is there whole and durable.
io::Task<Result<void>> Api::put_file(Exchange& exchange, std::string path) {
  const Asker who = credentials(exchange);
  if (path.ends_with('/')) co_return fail(Code::kIsDirectory, "the path names a directory");
  const Place place = CO_TRY(co_await resolve_parent(options_.volume, who, path));
  uint64_t mode = CO_TRY(number_parameter(exchange.request(), "mode", 0644, 8));
  if (mode > 07777) co_return fail(Code::kInvalid, "\"mode\" must be octal, at most 7777");
  const Result<vfs::Attr> old = co_await options_.volume.lookup(who, place.parent, place.name);
  if (old && old->type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory);
  if (old && !exchange.request().parameter("mode")) mode = old->mode & 0777;

  // Write permission first: an unnamed file only needs it when it is linked, after the whole body.
  CO_TRY(co_await options_.volume.access(who, place.parent, W_OK | X_OK));
  const meta::NodeSpec spec{.mode = static_cast<uint32_t>(mode)};
  const vfs::Opened opened =
      CO_TRY(co_await options_.volume.create_unnamed(who, place.parent, spec, {.flags = O_WRONLY}));
  Result<void> written = co_await receive_body(exchange, opened.handle);
  Result<bool> replaced = false;
  if (written) replaced = co_await publish(who, opened.attr.inode, place.parent, place.name);
  if (written && replaced) written = co_await options_.volume.fsync_directory(place.parent);
  const Result<void> released = co_await options_.volume.release(opened.handle);
  CO_TRY(std::move(written));
  const bool replaced_one = CO_TRY(std::move(replaced));
  CO_TRY(Result<void>(released));
  co_return co_await exchange.respond({replaced_one ? 204 : 201, "", "", {}});
}

io::Task<Result<void>> Api::receive_body(Exchange& exchange, vfs::Handle* handle) {
  std::vector<std::byte> buffer(kBufferBytes);
  for (uint64_t offset = 0;;) {
    const size_t bytes = CO_TRY(co_await exchange.read_body(buffer));
    if (bytes == 0) break;
    for (size_t done = 0; done < bytes;) {
      const auto part = std::span<const std::byte>(buffer).subspan(done, bytes - done);
      done += CO_TRY(co_await options_.volume.write(handle, offset + done, part, {}));
    }
    offset += bytes;
  }
  co_return co_await options_.volume.fsync(handle, false);
}

// Gives the unnamed file its name; true when it replaced another.
io::Task<Result<bool>> Api::publish(meta::Credentials who, InodeId inode, InodeId parent, std::string name) {
  const Result<vfs::Attr> linked = co_await options_.volume.link(who, inode, parent, name);
  if (linked) co_return false;
  if (linked.error().code() != Code::kExists) co_return fail(linked.error());
  const std::string temporary = fmt::format(".firn-put-{:016x}", system_random().next());
  CO_TRY(co_await options_.volume.link(who, inode, parent, temporary));
  Result<void> renamed = co_await options_.volume.rename(who, parent, temporary, parent, name, {});
  if (!renamed) {
    (void)co_await options_.volume.unlink(who, parent, temporary);  // the failure that counts is the rename's
    co_return fail(renamed.error());
  }
  co_return true;
}

}  // namespace firn::http
