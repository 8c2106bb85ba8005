// http::Exchange: one request on a connection and the making of its response.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "http/message.h"
#include "http/parser.h"
#include "http/peer.h"
#include "io/cancel.h"
#include "io/socket.h"

namespace firn::http {

struct Limits {
  int64_t idle_timeout_ns = 60'000'000'000;   // between requests
  int64_t head_timeout_ns = 10'000'000'000;   // from a request's first byte to the end of its head; for TLS's handshake
  int64_t stall_timeout_ns = 30'000'000'000;  // for each part of a body, either way
  // Of a request's body: it may be waited for as long as stall_timeout_ns, and its bytes at this rate.
  uint64_t min_bytes_per_s = 1024;
  int64_t drain_timeout_ns = 5'000'000'000;  // for requests under way when the server stops
  size_t drain_bytes = 256 << 10;            // of an unread request body, so that the connection can be kept
  uint64_t max_body_bytes = UINT64_MAX;      // of a request
};

// What was received and not yet consumed.
class Inbox {
 public:
  std::span<const std::byte> pending() const { return {bytes_.get() + consumed_, received_ - consumed_}; }
  void consume(size_t count) { consumed_ += count; }
  // Receives more behind what is pending; false at the end of the stream.
  io::Task<Result<bool>> fill(io::Socket& socket, io::Until until);

 private:
  void make_room(size_t bytes);

  std::unique_ptr<std::byte[]> bytes_;  // not zeroed first, as a vector's would be
  size_t room_ = 0, received_ = 0, consumed_ = 0;
};

// One coroutine at a time. Everything it is given must outlive it.
class Exchange {
 public:
  struct Connection {
    io::Socket& socket;
    Inbox& inbox;
    Parser& parser;
    const Limits& limits;
    io::CancelToken* cut;      // ends what waits
    io::CancelToken* closing;  // the server stops: no further request
  };
  Exchange(Connection connection, Request request, Peer peer)
      : connection_(connection),
        request_(std::move(request)),
        peer_(std::move(peer)),
        counted_left_(request_.content_length) {}

  const Request& request() const { return request_; }
  const Peer& peer() const { return peer_; }
  bool speaks_http_1_1() const { return connection_.parser.knows_chunks(); }
  // Tells better than the connection could who asks; before the handler that acts on it.
  void identify(Peer peer) {
    peer.client = std::move(peer_.client);
    peer.pid = peer_.pid;
    peer_ = std::move(peer);
  }
  // Cancelled once the server is about to stop: an answer without an end must end soon then.
  io::CancelToken& closing() const { return *connection_.closing; }

  // kFileTooBig: the request's body is larger than may be, as far as its head tells.
  Status check_body() const;
  // Whether the body may turn out to be larger while it comes.
  bool body_may_grow_too_large() const {
    return !request_.content_length && connection_.limits.max_body_bytes != UINT64_MAX;
  }
  // The next part of the request's body: at least one byte, 0 at its end. kFileTooBig: it is larger than may be.
  io::Task<Result<size_t>> read_body(std::span<std::byte> buffer);

  // Awaited before the response is begun.
  void before_response(std::function<io::Task<void>()> before) { before_response_ = std::move(before); }
  // The whole response at once.
  io::Task<Result<void>> respond(Response response);
  // Or in parts: begin(), write()..., end(). Without `bytes` it is sent chunked, and the head at once; otherwise the
  // head leaves with the first part.
  io::Task<Result<void>> begin(int status, Headers headers, std::optional<uint64_t> bytes);
  io::Task<Result<void>> write(std::span<const std::byte> data);
  io::Task<Result<void>> end();
  // Instead of write(), where sends_files() says so: pages of a file, from `offset` on, without copying them.
  // kIo: the file ends before. They are the file's own until the client has them (io::Socket::send_file).
  bool sends_files() const;
  io::Task<Result<void>> write_file(io::File& file, uint64_t offset, uint64_t bytes);
  // Waits until the client has all that was written but the last `but_bytes`, or little more: it, or its kernel, but
  // of that most_unread_bytes() at the most.
  io::Task<Result<void>> received(size_t but_bytes);
  size_t most_unread_bytes() const { return connection_.socket.most_unread_bytes(); }

  int status() const { return status_; }                     // of the response; 0: none yet
  uint64_t read_bytes() const { return read_bytes_; }        // of the request's body
  uint64_t written_bytes() const { return written_bytes_; }  // of the response's

  bool responded() const { return responded_; }
  bool complete() const { return complete_; }  // the response went out whole
  bool keep_alive() const { return keep_alive_ && complete_; }
  // Reads away what is left of the request's body; false: too much, close the connection.
  io::Task<bool> drain();

 private:
  io::Until stall_limit() const;
  Status body_too_large() const;
  io::Task<Result<void>> send_text(std::string text);
  io::Task<Result<void>> send_continue();
  bool body_done() const { return counted_left_ ? *counted_left_ == 0 : connection_.parser.done(); }
  io::Task<Result<size_t>> read_part(std::span<std::byte> buffer);
  io::Task<Result<size_t>> read_counted(std::span<std::byte> buffer);
  io::Task<Result<size_t>> read_chunked(std::span<std::byte> buffer);
  // After a wait for the client since then, which brought so many bytes: kTimedOut where it is too slow.
  Status check_pace(int64_t since_ns, size_t bytes);
  // Sends `before`, `data` and `after`, in one piece where that is not much.
  io::Task<Result<void>> send_framed(std::string before, std::span<const std::byte> data, std::string_view after);

  Connection connection_;
  const Request request_;
  Peer peer_;
  std::function<io::Task<void>()> before_response_;
  std::optional<uint64_t> counted_left_;  // of the request's body; none: the parser knows where it ends
  std::string head_;                      // of the response, not yet sent
  bool continue_sent_ = false;
  bool responded_ = false;
  bool complete_ = false;
  bool chunked_ = false;
  bool unmeasured_ = false;  // the end of the connection ends the body: HTTP/1.0 knows no chunks
  bool keep_alive_ = true;
  bool broken_ = false;  // the request's body failed: where the next request begins is unknown
  bool head_only_ = false;
  int status_ = 0;
  uint64_t read_bytes_ = 0;
  uint64_t written_bytes_ = 0;
  uint64_t promised_bytes_ = 0;
  uint64_t received_bytes_ = 0;
  int64_t waited_ns_ = 0;  // for the request's body
};

// "Expect: 100-continue" of an HTTP/1.1 client.
bool expects_continue(const Request& request);

}  // namespace firn::http
