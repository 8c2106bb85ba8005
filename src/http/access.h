// http::Access: who may pass to the API, before it.
#pragma once

#include "http/server.h"
#include "http/token_set.h"

namespace firn::http {

// Thread-safe; must outlive the servers that use its handlers.
class Access {
 public:
  Access(TokenSet& tokens, Handler api) : tokens_(tokens), api_(std::move(api)) {}

  // For the Unix socket: whom the kernel names is trusted.
  io::Task<Result<void>> from_unix(Exchange& exchange);

  // For TCP. Who shows a token gets what it allows, or 401. Who shows none gets what the connection allows
  // (Server::Options::identify), if their request cannot come from a foreign page in their browser: such a page can
  // have its own name resolve to this machine, and send what it likes to it. Answers 401 with WWW-Authenticate, and 403
  // to what the token does not allow.
  io::Task<Result<void>> from_tcp(Exchange& exchange);

 private:
  TokenSet& tokens_;
  const Handler api_;
};

// What keeps `peer` from sending `request`, if anything: the right that its route needs, paths in the scope. Paths are
// checked once more where they are walked (http/path_walk.h), symlinks and all.
Status check_allowed(const Peer& peer, const Request& request);

// Whether `host`, of a Host header, is a name of this very machine: localhost, 127.0.0.0/8, [::1].
bool names_this_machine(std::string_view host);
// Whether a browser says that a page of another site made this request.
bool comes_from_foreign_page(const Request& request);

}  // namespace firn::http
