// One request and the making of its reply.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.h"
#include "base/status.h"
#include "fuse/decode.h"
#include "io/lent_bytes.h"
#include "vfs/access_log.h"

namespace firn::io {
class Reactor;
}

namespace firn::fuse {

class Exchange;

// Where a reply goes: the transport's side of an exchange.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // Sends the reply: `error` is 0 or a negative errno; with 0, the first `bytes` of exchange.reply are its body,
  // and what exchange.lent has for them, which it lets go.
  // The exchange may be reused for another request before this returns. On the sink's own reactor only.
  virtual void send(Exchange& exchange, int32_t error, uint32_t bytes) = 0;
  // The request wants no reply (FORGET): only frees the exchange.
  virtual void discard(Exchange& exchange) = 0;
};

// What an operation ends with: co_return one of these.
struct Outcome {
  int32_t error = 0;    // negative errno
  uint32_t bytes = 0;   // of the reply's body
  bool silent = false;  // no reply at all

  Outcome() = default;
  explicit Outcome(size_t body_bytes) : bytes(static_cast<uint32_t>(body_bytes)) {}
  Outcome(Code code) : error(-errno_of(code)) {}  // NOLINT: `co_return Code::kInvalid` reads well
  static Outcome none() {
    Outcome outcome;
    outcome.silent = true;
    return outcome;
  }
  static Outcome from_errno(int error) {
    Outcome outcome;
    outcome.error = -error;
    return outcome;
  }
};

// Invariant: the names and data of `request` lie in the buffer that `reply` covers (the transports have one buffer
// per request), so an operation must be done with them before it writes its reply.
class Exchange {
 public:
  Request request;
  std::span<std::byte> reply;  // room for the body
  io::LentBytes lent;          // parts of it that need not be copied there
  ReplySink* sink = nullptr;
  io::Reactor* home = nullptr;                // whose thread sends the reply
  int64_t started_ns = 0;                     // 0: not measured
  std::unique_ptr<vfs::AccessRecord> access;  // null: nobody reads the access log

  const fuse_in_header& header() const { return request.header; }
  // Writes a fixed structure as the whole body.
  template <class T>
  Outcome answer(const T& body) {
    CHECK(sizeof body <= reply.size());
    std::memcpy(reply.data(), &body, sizeof body);
    return Outcome(sizeof body);
  }
};

}  // namespace firn::fuse
