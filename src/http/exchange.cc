#include "http/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <iterator>
#include <utility>

#include "http/validators.h"

namespace firn::http {
namespace {

constexpr const char* kLeft = "the client left in the middle of the body";
constexpr size_t kHeadBytes = 512;        // more than most have
constexpr size_t kPartBytes = 256 << 10;  // of a file, that may take as long as Limits::stall_timeout_ns

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

// Written once a second.
std::string_view date_now() {
  static thread_local int64_t second = INT64_MIN;
  static thread_local std::string text;
  const int64_t now = io::Reactor::current()->clock().now().seconds;
  if (now != second) text = http_date(second = now);
  return text;
}

}  // namespace

bool expects_continue(const Request& request) {
  const auto expect = request.header("expect");
  return expect && std::ranges::equal(*expect, std::string_view("100-continue"), {},
                                      [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
}

void Inbox::make_room(size_t bytes) {
  const size_t kept = received_ - consumed_;
  if (kept + bytes <= room_) {
    if (consumed_ > 0 && kept > 0) std::memmove(bytes_.get(), bytes_.get() + consumed_, kept);
  } else {
    auto larger = std::make_unique_for_overwrite<std::byte[]>(kept + bytes);
    if (kept > 0) std::memcpy(larger.get(), bytes_.get() + consumed_, kept);
    bytes_ = std::move(larger);
    room_ = kept + bytes;
  }
  received_ = kept;
  consumed_ = 0;
}

io::Task<Result<bool>> Inbox::fill(io::Socket& socket, io::Until until) {
  constexpr size_t kStepBytes = 32 << 10;
  make_room(kStepBytes);
  const size_t received = CO_TRY(co_await socket.recv({bytes_.get() + received_, room_ - received_}, until));
  received_ += received;
  co_return received > 0;
}

io::Until Exchange::stall_limit() const { return io::within(connection_.limits.stall_timeout_ns, connection_.cut); }

io::Task<Result<void>> Exchange::send_text(std::string text) {
  co_return co_await connection_.socket.send(std::as_bytes(std::span(text)), stall_limit());
}

io::Task<Result<void>> Exchange::send_continue() {
  if (continue_sent_ || responded_) co_return {};
  continue_sent_ = true;
  if (!expects_continue(request_) || !connection_.parser.knows_chunks()) co_return {};
  co_return co_await send_text("HTTP/1.1 100 Continue\r\n\r\n");
}

io::Task<Result<size_t>> Exchange::read_body(std::span<std::byte> buffer) {
  Result<size_t> bytes = co_await read_part(buffer);
  if (!bytes) broken_ = true;
  read_bytes_ += bytes.value_or(0);
  co_return bytes;
}

Status Exchange::body_too_large() const {
  return {Code::kFileTooBig,
          fmt::format("the body has more than {} bytes (http.max_body)", connection_.limits.max_body_bytes)};
}

Status Exchange::check_body() const {
  return request_.content_length.value_or(0) > connection_.limits.max_body_bytes ? body_too_large() : Status();
}

io::Task<Result<size_t>> Exchange::read_part(std::span<std::byte> buffer) {
  if (body_done()) co_return size_t{0};
  if (Status fits = check_body(); !fits.ok()) co_return fail(std::move(fits));
  CO_TRY(co_await send_continue());
  if (counted_left_) co_return co_await read_counted(buffer);
  co_return co_await read_chunked(buffer);
}

// Straight into `buffer`, but for what came with the head.
io::Task<Result<size_t>> Exchange::read_counted(std::span<std::byte> buffer) {
  buffer = buffer.first(std::min<uint64_t>(buffer.size(), *counted_left_));
  Inbox& inbox = connection_.inbox;
  size_t bytes = std::min(buffer.size(), inbox.pending().size());
  if (bytes > 0) {
    std::memcpy(buffer.data(), inbox.pending().data(), bytes);
    inbox.consume(bytes);
  } else {
    const int64_t since_ns = io::Reactor::current()->clock().monotonic_ns();
    bytes = CO_TRY(co_await connection_.socket.recv(buffer, stall_limit()));
    if (bytes == 0) co_return fail(Code::kUnavailable, kLeft);
    if (Status pace = check_pace(since_ns, bytes); !pace.ok()) co_return fail(std::move(pace));
  }
  *counted_left_ -= bytes;
  co_return bytes;
}

io::Task<Result<size_t>> Exchange::read_chunked(std::span<std::byte> buffer) {
  Parser& parser = connection_.parser;
  Inbox& inbox = connection_.inbox;
  for (;;) {
    const BodyStep step = CO_TRY(parser.feed_body(inbox.pending(), buffer));
    inbox.consume(step.consumed);
    if (step.produced > connection_.limits.max_body_bytes - read_bytes_) co_return fail(body_too_large());
    if (step.produced > 0) co_return step.produced;
    if (parser.done()) co_return size_t{0};
    if (step.consumed > 0 && !inbox.pending().empty()) continue;
    const int64_t since_ns = io::Reactor::current()->clock().monotonic_ns();
    const size_t before = inbox.pending().size();
    if (!CO_TRY(co_await inbox.fill(connection_.socket, stall_limit()))) co_return fail(Code::kUnavailable, kLeft);
    if (Status pace = check_pace(since_ns, inbox.pending().size() - before); !pace.ok())
      co_return fail(std::move(pace));
  }
}

// Only the time that the client takes counts against it.
Status Exchange::check_pace(int64_t since_ns, size_t bytes) {
  constexpr double kNsPerSecond = 1e9;
  const Limits& limits = connection_.limits;
  waited_ns_ += io::Reactor::current()->clock().monotonic_ns() - since_ns;
  received_bytes_ += bytes;
  const double paid_ns =
      static_cast<double>(received_bytes_) / static_cast<double>(limits.min_bytes_per_s) * kNsPerSecond;
  if (static_cast<double>(waited_ns_ - limits.stall_timeout_ns) <= paid_ns) return {};
  return Status(Code::kTimedOut, "the body comes too slowly");
}

io::Task<Result<void>> Exchange::begin(int status, Headers headers, std::optional<uint64_t> bytes) {
  constexpr int kNoContent = 204, kNotModified = 304;
  CHECK(!responded_);
  responded_ = true;
  if (const auto before = std::exchange(before_response_, {})) co_await before();
  status_ = status;
  const bool bodyless = status == kNoContent || status == kNotModified;
  head_only_ = request_.method == "HEAD" || bodyless;
  const bool ends_with_connection = !bytes && !connection_.parser.knows_chunks();
  chunked_ = !bytes && !ends_with_connection;
  unmeasured_ = ends_with_connection;
  promised_bytes_ = bytes.value_or(0);
  keep_alive_ = connection_.parser.keep_alive() && !broken_ && !ends_with_connection && !closing().cancelled();
  head_.reserve(kHeadBytes);
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\n", status, reason_of(status));
  append_field(head_, "Date", date_now());
  for (const auto& [name, value] : headers) append_field(head_, name, value);
  if (!bodyless && chunked_) append_field(head_, "Transfer-Encoding", "chunked");
  if (!bodyless && bytes) append_field(head_, "Content-Length", fmt::format_int(promised_bytes_).c_str());
  if (!keep_alive_) append_field(head_, "Connection", "close");
  head_ += "\r\n";
  if (bytes) co_return {};
  co_return co_await send_framed(std::exchange(head_, {}), {}, {});
}

io::Task<Result<void>> Exchange::send_framed(std::string before, std::span<const std::byte> data,
                                             std::string_view after) {
  constexpr size_t kCopiedBytes = 16 << 10;
  io::Socket& socket = connection_.socket;
  if (before.size() + data.size() <= kCopiedBytes) {
    before.append(reinterpret_cast<const char*>(data.data()), data.size()).append(after);
    if (before.empty()) co_return {};
    co_return co_await send_text(std::move(before));
  }
  if (!before.empty()) CO_TRY(co_await send_text(std::move(before)));
  CO_TRY(co_await socket.send(data, stall_limit()));
  if (!after.empty()) CO_TRY(co_await send_text(std::string(after)));
  co_return {};
}

io::Task<Result<void>> Exchange::write(std::span<const std::byte> data) {
  if (head_only_ || data.empty()) co_return {};
  written_bytes_ += data.size();
  if (chunked_) co_return co_await send_framed(fmt::format("{:x}\r\n", data.size()), data, "\r\n");
  if (!unmeasured_) {
    CHECK(data.size() <= promised_bytes_);
    promised_bytes_ -= data.size();
  }
  co_return co_await send_framed(std::exchange(head_, {}), data, {});
}

bool Exchange::sends_files() const { return connection_.socket.sends_pages() && !chunked_ && !head_only_; }

io::Task<Result<void>> Exchange::write_file(io::File& file, uint64_t offset, uint64_t bytes) {
  CHECK(sends_files() && (unmeasured_ || bytes <= promised_bytes_));
  if (!head_.empty()) CO_TRY(co_await send_text(std::exchange(head_, {})));
  io::Until until = stall_limit();
  for (size_t in_time = 0; bytes > 0;) {
    const size_t sent = CO_TRY(co_await connection_.socket.send_file(file, offset, bytes, until));
    if (sent == 0) co_return fail(Code::kIo, "the file was cut off meanwhile");
    offset += sent;
    bytes -= sent;
    written_bytes_ += sent;
    if (!unmeasured_) promised_bytes_ -= sent;
    in_time += sent;
    if (in_time < kPartBytes) continue;
    in_time = 0;
    until = stall_limit();
  }
  co_return {};
}

io::Task<Result<void>> Exchange::received(size_t but_bytes) {
  constexpr size_t kMostInFlightBytes = 16 << 20;  // more than the kernel queues, as a rule
  for (size_t left = but_bytes + kMostInFlightBytes; left > but_bytes; left -= kPartBytes)
    CO_TRY(co_await connection_.socket.acknowledged(left, stall_limit()));
  co_return co_await connection_.socket.acknowledged(but_bytes, stall_limit());
}

io::Task<Result<void>> Exchange::end() {
  if (!head_.empty()) CO_TRY(co_await send_text(std::exchange(head_, {})));
  if (!head_only_ && chunked_) CO_TRY(co_await send_text("0\r\n\r\n"));
  if (!head_only_ && !chunked_ && promised_bytes_ > 0)
    co_return fail(Code::kIo, "the content ended early");  // the connection must be closed
  complete_ = true;
  co_return {};
}

io::Task<Result<void>> Exchange::respond(Response response) {
  Headers headers = std::move(response.headers);
  if (!response.content_type.empty()) headers.emplace_back("Content-Type", response.content_type);
  CO_TRY(co_await begin(response.status, std::move(headers), response.body.size()));
  CO_TRY(co_await write(std::as_bytes(std::span(response.body))));
  co_return co_await end();
}

io::Task<bool> Exchange::drain() {
  // Whoever waits for "100 Continue" and was refused sends no body, or a whole new request: nobody can tell.
  if (!body_done() && !continue_sent_ && request_.header("expect")) co_return false;
  if (body_done()) co_return true;
  std::vector<std::byte> buffer(16 << 10);
  for (size_t read = 0; !body_done();) {
    const Result<size_t> bytes = co_await read_body(buffer);
    if (!bytes) co_return false;
    read += *bytes;
    if (read > connection_.limits.drain_bytes) co_return false;
  }
  co_return true;
}

}  // namespace firn::http
