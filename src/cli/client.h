// The command line's HTTP client: one blocking connection to a daemon.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/status.h"
#include "cli/connection.h"
#include "http/message.h"

namespace firn::cli {

// Fills the buffer; the number of bytes, 0 at the end.
using BodySource = std::function<Result<size_t>(std::span<std::byte>)>;
using BodySink = std::function<Status(std::span<const std::byte>)>;

// Where a volume is served: on this machine, or by the server that --url names.
struct Served {
  VolumePaths paths = {};
  std::optional<Remote> remote = std::nullopt;

  std::string text() const { return remote ? remote->text() : paths.root; }
  bool same_as(const Served& other) const { return paths.root == other.paths.root && remote == other.remote; }
};

class Client {
 public:
  // kUnavailable, with what to do, when nobody serves the volume.
  static Result<Client> connect(const Served& served);
  static Result<Client> connect(const VolumePaths& paths) { return connect(Served{.paths = paths}); }

  struct Reply {
    int status = 0;
    std::string body;
    std::string tag = {};  // the entity tag that it tells
  };
  // A reply with a status of 400 or more becomes a failure with the problem's errno and detail.
  // `headers`: of the request; each ends in CRLF. A condition that does not hold is kStale.
  Result<Reply> call(const std::string& method, const std::string& target, const std::string& headers = "");
  // What comes before the body of an answer.
  struct Head {
    int status = 0;
    http::Headers headers;  // names in lower case

    std::string header(std::string_view name) const;  // empty: there is none
  };
  struct Incoming {
    std::string headers = {};  // of the request; each ends in CRLF
    // Gets the head first. Neither is called for a status of 400 or more. A failure ends the connection's use.
    std::function<Status(const Head& head)> begin = {};
    BodySink sink = {};
  };
  // The body of a GET goes to the sink as it comes.
  Status fetch(const std::string& target, const Incoming& incoming);
  Status fetch(const std::string& target, const BodySink& sink) { return fetch(target, Incoming{.sink = sink}); }
  // A POST whose answer is lines, each passed to `line` as it comes. For work that takes long: waits for as long as it
  // takes.
  Status work(const std::string& target, const std::function<Status(std::string_view line)>& line);
  // The body comes from `source`: so many bytes, or as many as there are, chunked.
  Result<Reply> send(const std::string& method, const std::string& target, const BodySource& source,
                     const std::string& headers = "", std::optional<uint64_t> bytes = std::nullopt);

 private:
  Client(Connection connection, std::string headers, std::string only_found = {})
      : connection_(std::move(connection)), headers_(std::move(headers)), only_found_(std::move(only_found)) {}
  Status write_head(const std::string& method, const std::string& target, const std::string& more);
  Status write_text(const std::string& text);
  Status write_body(const BodySource& source, bool chunked);
  Result<Reply> read_reply(const Incoming* incoming);

  Connection connection_;
  const std::string headers_;     // of every request
  const std::string only_found_;  // the server, where it is only read from (Trust::kFound)
};

}  // namespace firn::cli
