#include "cli/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "http/parser.h"

namespace firn::cli {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr const char* kHowToName = "name it with --url, or the authority of its certificate with --ca-file";

// Where a problem names none.
int errno_without(int status) {
  constexpr int kUnauthorized = 401, kForbidden = 403, kFailedCondition = 412;
  if (status == kFailedCondition) return ESTALE;
  return status == kUnauthorized || status == kForbidden ? EACCES : EIO;
}

Status problem_of(const Client::Reply& reply) {
  const nlohmann::json body = nlohmann::json::parse(reply.body, nullptr, false);
  if (!body.is_object()) return Status(Code::kIo, fmt::format("the daemon answered {}", reply.status));
  try {
    return Status(code_of_errno(body.value("errno", errno_without(reply.status))),
                  body.value("detail", "the daemon gave no reason"));
  } catch (const nlohmann::json::exception&) {  // of other types
    return Status(Code::kIo, fmt::format("the daemon answered {}", reply.status));
  }
}

}  // namespace

Result<Client> Client::connect(const Served& served) {
  if (!served.remote) return Client(TRY(Connection::to_volume(served.paths)), "Host: localhost\r\n");
  const Remote& remote = *served.remote;
  std::string headers = fmt::format("Host: {}\r\n", remote.authority());
  if (!remote.token.empty()) headers += fmt::format("Authorization: Bearer {}\r\n", remote.token);
  return Client(TRY(Connection::to_remote(remote)), std::move(headers),
                remote.trust == Trust::kFound ? remote.text() : "");
}

Status Client::write_text(const std::string& text) { return connection_.write(std::as_bytes(std::span(text))); }

Status Client::write_head(const std::string& method, const std::string& target, const std::string& more) {
  if (!only_found_.empty() && method != "GET" && method != "HEAD")
    return Status(Code::kNotPermitted,
                  fmt::format("{} was found on the network, where anybody may claim to be it, so that it is only read "
                              "from; {}",
                              only_found_, kHowToName));
  return write_text(fmt::format("{} {} HTTP/1.1\r\n{}{}\r\n", method, target, headers_, more));
}

Result<Client::Reply> Client::call(const std::string& method, const std::string& target, const std::string& headers) {
  const bool has_body = method == "POST" || method == "PUT";
  TRY(write_head(method, target, headers + (has_body ? "Content-Length: 0\r\n" : "")));
  return read_reply(nullptr);
}

std::string Client::Head::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
  return found == headers.end() ? "" : found->second;
}

Status Client::fetch(const std::string& target, const Incoming& incoming) {
  TRY(write_head("GET", target, incoming.headers));
  TRY(read_reply(&incoming));
  return {};
}

Status Client::work(const std::string& target, const std::function<Status(std::string_view)>& line) {
  // The daemon says several times a second how far it is.
  TRY(write_head("POST", target, "Content-Length: 0\r\n"));
  std::string pending;
  const Incoming incoming{.sink = [&](std::span<const std::byte> data) -> Status {
    pending.append(reinterpret_cast<const char*>(data.data()), data.size());
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
      TRY(line(std::string_view(pending).substr(0, end)));
    return {};
  }};
  TRY(read_reply(&incoming));
  return {};
}

Result<Client::Reply> Client::send(const std::string& method, const std::string& target, const BodySource& source,
                                   const std::string& headers, std::optional<uint64_t> bytes) {
  const std::string framing = bytes ? fmt::format("Content-Length: {}\r\n", *bytes) : "Transfer-Encoding: chunked\r\n";
  TRY(write_head(method, target, headers + framing));
  const Status written = write_body(source, !bytes);
  // A daemon that refuses answers before the body's end and closes: its reason counts more than the broken pipe.
  if (!written.ok() && written != Code::kUnavailable) return fail(written);
  Result<Reply> reply = read_reply(nullptr);
  if (!reply && !written.ok() && reply.error() == Code::kUnavailable) return fail(written);
  return reply;
}

Status Client::write_body(const BodySource& source, bool chunked) {
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    // A reply that comes early is a refusal.
    if (connection_.readable()) return {};
    const size_t bytes = TRY(source(buffer));
    if (bytes == 0) return chunked ? write_text("0\r\n\r\n") : Status();
    if (chunked) TRY(write_text(fmt::format("{:x}\r\n", bytes)));
    TRY(connection_.write(std::span(buffer).first(bytes)));
    if (chunked) TRY(write_text("\r\n"));
  }
}

Result<Client::Reply> Client::read_reply(const Incoming* incoming) {
  http::Parser parser(http::Parser::Kind::kResponse);
  std::vector<std::byte> pending, output(kBufferBytes);
  Reply reply;
  while (!parser.done()) {
    const size_t before = pending.size();
    pending.resize(before + kBufferBytes);
    const size_t bytes = TRY(connection_.read(std::span(pending).subspan(before)));
    pending.resize(before + bytes);
    if (bytes == 0) return fail(Code::kUnavailable, "the daemon ended the connection early");
    size_t used = 0;
    if (!parser.head_done()) {
      used = TRY(parser.feed_head(pending));
      if (parser.head_done() && parser.status() < 400 && incoming && incoming->begin)
        TRY(incoming->begin({.status = parser.status(), .headers = parser.headers()}));
    }
    while (parser.head_done() && !parser.done()) {
      const auto step = TRY(parser.feed_body(std::span(pending).subspan(used), output));
      used += step.consumed;
      const auto part = std::span<const std::byte>(output).first(step.produced);
      if (incoming && parser.status() < 400) {
        TRY(incoming->sink(part));
      } else {
        reply.body.append(reinterpret_cast<const char*>(part.data()), part.size());
      }
      if (step.consumed == 0 && step.produced == 0) break;
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(used));
  }
  reply.status = parser.status();
  reply.tag = Head{.status = reply.status, .headers = parser.headers()}.header("etag");
  if (reply.status == 401 && !only_found_.empty())
    return fail(Code::kAccessDenied,
                fmt::format("{} wants a token, and was only found on the network; {}", only_found_, kHowToName));
  if (reply.status >= 400) return fail(problem_of(reply));
  return reply;
}

}  // namespace firn::cli
