// Incremental parsing of HTTP/1.1 messages, on Boost.Beast's parser. No I/O; any bytes are safe to feed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "http/message.h"

namespace firn::http {

inline constexpr size_t kMaxHeadBytes = 16 << 10;

struct BodyStep {
  size_t consumed = 0;  // of the input
  size_t produced = 0;  // of the output
};

// One request, or one response. Feed the head until head_done(), then the body until done().
class Parser {
 public:
  enum class Kind : uint8_t { kRequest, kResponse };

  explicit Parser(Kind kind);
  ~Parser();

  // Takes what it can of the accumulated unconsumed `input`, never beyond the head; the number of bytes taken.
  // kArgumentTooBig: the head exceeds kMaxHeadBytes. kInvalid: not HTTP, or in a form that parsers read differently
  // (RFC 9112 deprecates them): a line end without its CR, a folded line.
  Result<size_t> feed_head(std::span<const std::byte> input);
  bool head_done() const;
  // Decodes a part of the body (chunked or counted). Neither consumed nor produced: more input is needed.
  Result<BodyStep> feed_body(std::span<const std::byte> input, std::span<std::byte> output);
  // The whole message has been taken.
  bool done() const;
  // The peer ended its stream: whether the message is complete with that.
  bool finish_at_end_of_stream();

  // Valid once head_done().
  bool keep_alive() const;  // false for HTTP/1.0, whatever it asks for
  bool knows_chunks() const;
  int status() const;  // responses
  // Fills all of `request`. kNotSupported: a transfer coding besides chunked. kInvalid: another version than HTTP/1.x,
  // a malformed target, or where the body ends could be read in two ways.
  Status request(Request& request) const;
  Headers headers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firn::http
