// GET and HEAD of files, with conditions and ranges.
#include <fcntl.h>
#include <fmt/format.h>

#include "base/random.h"
#include "http/api.h"
#include "http/file_body.h"
#include "http/file_state.h"
#include "http/ranges.h"

namespace firn::http {
namespace {

constexpr std::string_view kContentType = "application/octet-stream";

// What of a file goes out, and what is written between its parts.
struct Selection {
  std::vector<ByteRange> ranges;
  uint64_t file_bytes = 0;
  std::string boundary = {};  // of multipart/byteranges; empty: one range

  std::string before(const ByteRange& range) const {
    if (boundary.empty()) return "";
    return fmt::format("\r\n--{}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n", boundary, kContentType,
                       content_range(range, file_bytes));
  }
  std::string after() const { return boundary.empty() ? "" : fmt::format("\r\n--{}--\r\n", boundary); }
  uint64_t bytes() const {
    uint64_t sum = after().size();
    for (const ByteRange& range : ranges) sum += before(range).size() + range.count;
    return sum;
  }
};

io::Task<Result<void>> send_selection(Exchange& exchange, vfs::Volume& volume, vfs::Handle* handle,
                                      const Selection* selection) {
  for (const ByteRange& range : selection->ranges) {
    const std::string before = selection->before(range);
    CO_TRY(co_await exchange.write(std::as_bytes(std::span(before))));
    CO_TRY(co_await send_range(exchange, volume, handle, range));
  }
  const std::string after = selection->after();
  CO_TRY(co_await exchange.write(std::as_bytes(std::span(after))));
  co_return co_await exchange.end();
}

}  // namespace

io::Task<Result<void>> Api::get_file(Exchange& exchange, std::string path) {
  const Asker who = credentials(exchange);
  const vfs::Attr attr = CO_TRY(co_await resolve(options_.volume, who, path, LastLink::kFollow));
  if (attr.type == meta::FileType::kDirectory) co_return fail(Code::kIsDirectory, "a directory; list it with /v1/ls");
  if (attr.type != meta::FileType::kRegular) co_return fail(Code::kInvalid, "not a regular file");
  const Timestamp seen = io::Reactor::current()->clock().now();
  const vfs::Opened opened = CO_TRY(co_await options_.volume.open(who, attr.inode, {.flags = O_RDONLY}));
  FileState file{.attr = opened.attr, .seen = seen, .settled = is_settled(opened.attr, seen)};
  Result<void> sent = co_await send_file(exchange, opened.handle, std::move(file));
  (void)co_await options_.volume.release(opened.handle);  // it was only read
  co_return sent;
}

io::Task<Result<void>> Api::send_file(Exchange& exchange, vfs::Handle* handle, FileState file) {
  const Request& request = exchange.request();
  if (!file.settled) file = CO_TRY(co_await state_of(options_.volume, vfs::Volume::inode_of(handle)));
  Headers headers = validator_headers(file.attr, file.settled);
  if (const Verdict verdict = check_conditions(request, file.attr); verdict == Verdict::kNotModified)
    co_return co_await exchange.respond({304, "", "", std::move(headers)});
  else if (verdict == Verdict::kFailed)
    co_return co_await exchange.respond(failed_condition());

  Selection selection{.ranges = {{0, file.attr.size}}, .file_bytes = file.attr.size};
  headers.emplace_back("Accept-Ranges", "bytes");
  headers.emplace_back("Cache-Control", "no-cache");  // no browser is to guess for how long it stays as it is
  RangesAsked asked;
  // Of a HEAD they mean nothing.
  if (const auto header = request.header("range");
      header && request.method == "GET" && range_applies(request, file.attr, file.settled, file.seen))
    asked = parse_ranges(*header, file.attr.size);
  if (asked.kind == RangesAsked::Kind::kUnsatisfiable) {
    Response response = problem(416, "no range lies inside the file");
    response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", file.attr.size));
    co_return co_await exchange.respond(std::move(response));
  }
  const bool partial = asked.kind == RangesAsked::Kind::kSome;
  if (partial) selection.ranges = std::move(asked.ranges);
  if (selection.ranges.size() > 1) {
    selection.boundary = fmt::format("firn-{:016x}{:016x}", system_random().next(), system_random().next());
    headers.emplace_back("Content-Type", "multipart/byteranges; boundary=" + selection.boundary);
  } else {
    headers.emplace_back("Content-Type", kContentType);
    if (partial) headers.emplace_back("Content-Range", content_range(selection.ranges.front(), file.attr.size));
  }
  CO_TRY(co_await exchange.begin(partial ? 206 : 200, std::move(headers), selection.bytes()));
  if (request.method == "HEAD") co_return co_await exchange.end();
  co_return co_await send_selection(exchange, options_.volume, handle, &selection);
}

}  // namespace firn::http
