// The command line's HTTP client: one blocking connection to a daemon's Unix socket.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "cli/volume_folder.h"
#include "http/message.h"
#include "io/unique_fd.h"

namespace firn::cli {

// Fills the buffer; the number of bytes, 0 at the end.
using BodySource = std::function<Result<size_t>(std::span<std::byte>)>;
using BodySink = std::function<Status(std::span<const std::byte>)>;

class Client {
 public:
  // kUnavailable, with what to do, when nobody serves the volume.
  static Result<Client> connect(const VolumePaths& paths);

  struct Reply {
    int status = 0;
    std::string body;
  };
  // A reply with a status of 400 or more becomes a failure with the problem's errno and detail.
  Result<Reply> call(const std::string& method, const std::string& target);
  // The body of a GET goes to `sink` as it comes.
  Status fetch(const std::string& target, const BodySink& sink);
  // A POST whose answer is lines, each passed to `line` as it comes. For work that takes long: waits for as long as it
  // takes.
  Status work(const std::string& target, const std::function<Status(std::string_view line)>& line);
  // The body comes from `source`, chunked.
  Result<Reply> send(const std::string& method, const std::string& target, const BodySource& source);

 private:
  explicit Client(io::UniqueFd fd) : fd_(std::move(fd)) {}
  Status write_all(std::span<const std::byte> data);
  Status write_text(const std::string& text);
  Status write_body(const BodySource& source);
  Result<Reply> read_reply(const BodySink* sink);

  io::UniqueFd fd_;
};

}  // namespace firn::cli
