// http::TokenSet: the tokens of a running daemon.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "http/token.h"
#include "io/sync.h"

namespace firn::http {

// Thread-safe: the servers on all reactors ask it.
class TokenSet {
 public:
  // Keeps the file's new text durably. Runs on the caller's reactor.
  using Keep = std::function<io::Task<Status>(std::string text)>;

  TokenSet(std::vector<Token> tokens, Keep keep)
      : tokens_(std::make_shared<const std::vector<Token>>(std::move(tokens))), keep_(std::move(keep)) {}

  std::shared_ptr<const std::vector<Token>> tokens() const {
    const std::lock_guard lock(tokens_mutex_);
    return tokens_;
  }
  // The token that `secret` is and that has not expired.
  std::optional<Token> find(std::string_view secret, int64_t now_s) const;

  // /v1/admin/tokens, for somebody who may administer. What is answered has been kept; a revoked token lets nobody in
  // any more.
  io::Task<Result<void>> handle(Exchange& exchange);

 private:
  mutable std::mutex tokens_mutex_;  // guards tokens_, which is replaced whole
  std::shared_ptr<const std::vector<Token>> tokens_;
  io::Mutex change_;  // held while the file is written
  const Keep keep_;
};

}  // namespace firn::http
