#include "cli/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "http/parser.h"

namespace firn::cli {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
// For whole answers. A sync of a slow disk may take long.
constexpr timeval kTimeout = {.tv_sec = 300, .tv_usec = 0};

Status problem_of(const Client::Reply& reply) {
  const nlohmann::json body = nlohmann::json::parse(reply.body, nullptr, false);
  if (!body.is_object()) return Status(Code::kIo, fmt::format("the daemon answered {}", reply.status));
  return Status(code_of_errno(body.value("errno", EIO)), body.value("detail", "the daemon gave no reason"));
}

}  // namespace

Result<Client> Client::connect(const VolumePaths& paths) {
  // Through the folder's descriptor, for a path that is too long for sun_path.
  io::UniqueFd folder(open(paths.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail(Status::from_errno(errno, paths.root));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("/proc/self/fd/{}/{}", folder.get(), kSocketName);
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  io::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Status::from_errno(errno, "making a socket"));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED)
      return fail(Code::kUnavailable,
                  fmt::format("{}: nobody serves this volume; use firn mount or firn serve", paths.root));
    return fail(Status::from_errno(errno, fmt::format("{}/{}", paths.root, kSocketName)));
  }
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
  return Client(std::move(fd));
}

Status Client::write_all(std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t bytes = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return Status::from_errno(errno, "talking to the daemon");
    data = data.subspan(static_cast<size_t>(bytes));
  }
  return {};
}

Status Client::write_text(const std::string& text) { return write_all(std::as_bytes(std::span(text))); }

Result<Client::Reply> Client::call(const std::string& method, const std::string& target) {
  const bool has_body = method == "POST" || method == "PUT";
  TRY(write_text(fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", method, target,
                             has_body ? "Content-Length: 0\r\n" : "")));
  return read_reply(nullptr);
}

Status Client::fetch(const std::string& target, const BodySink& sink) {
  TRY(write_text(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", target)));
  TRY(read_reply(&sink));
  return {};
}

Status Client::work(const std::string& target, const std::function<Status(std::string_view)>& line) {
  // The daemon says several times a second how far it is.
  TRY(write_text(fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", target)));
  std::string pending;
  const BodySink sink = [&](std::span<const std::byte> data) -> Status {
    pending.append(reinterpret_cast<const char*>(data.data()), data.size());
    for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
      TRY(line(std::string_view(pending).substr(0, end)));
    return {};
  };
  TRY(read_reply(&sink));
  return {};
}

Result<Client::Reply> Client::send(const std::string& method, const std::string& target, const BodySource& source) {
  TRY(write_text(
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", method, target)));
  const Status written = write_body(source);
  // A daemon that refuses answers before the body's end and closes: its reason counts more than the broken pipe.
  if (!written.ok() && written != Code::kUnavailable) return fail(written);
  Result<Reply> reply = read_reply(nullptr);
  if (!reply && !written.ok() && reply.error() == Code::kUnavailable) return fail(written);
  return reply;
}

Status Client::write_body(const BodySource& source) {
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    // A reply that comes early is a refusal.
    pollfd early{fd_.get(), POLLIN, 0};
    if (poll(&early, 1, 0) > 0) return {};
    const size_t bytes = TRY(source(buffer));
    if (bytes == 0) return write_text("0\r\n\r\n");
    TRY(write_text(fmt::format("{:x}\r\n", bytes)));
    TRY(write_all(std::span(buffer).first(bytes)));
    TRY(write_text("\r\n"));
  }
}

Result<Client::Reply> Client::read_reply(const BodySink* sink) {
  http::Parser parser(http::Parser::Kind::kResponse);
  std::vector<std::byte> pending, output(kBufferBytes);
  Reply reply;
  while (!parser.done()) {
    const size_t before = pending.size();
    pending.resize(before + kBufferBytes);
    const ssize_t bytes = recv(fd_.get(), pending.data() + before, kBufferBytes, 0);
    pending.resize(before + static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return fail(Status::from_errno(errno, "talking to the daemon"));
    if (bytes == 0) return fail(Code::kUnavailable, "the daemon ended the connection early");
    size_t used = 0;
    if (!parser.head_done()) used = TRY(parser.feed_head(pending));
    while (parser.head_done() && !parser.done()) {
      const auto step = TRY(parser.feed_body(std::span(pending).subspan(used), output));
      used += step.consumed;
      const auto part = std::span<const std::byte>(output).first(step.produced);
      if (sink && parser.status() < 400) {
        TRY((*sink)(part));
      } else {
        reply.body.append(reinterpret_cast<const char*>(part.data()), part.size());
      }
      if (step.consumed == 0 && step.produced == 0) break;
    }
    pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(used));
  }
  reply.status = parser.status();
  if (reply.status >= 400) return fail(problem_of(reply));
  return reply;
}

}  // namespace firn::cli
