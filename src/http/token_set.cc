#include "http/token_set.h"

#include <unistd.h>

#include "base/log.h"
#include "http/token_answers.h"
#include "io/reactor.h"

namespace firn::http {

std::optional<Token> TokenSet::find(std::string_view secret, int64_t now_s) const {
  const auto all = tokens();
  const Token* token = find_token(*all, secret);
  if (!token || token->expired(now_s)) return std::nullopt;
  return *token;
}

io::Task<Result<void>> TokenSet::handle(Exchange& exchange) {
  io::Mutex::Guard guard = co_await change_.lock();
  const auto now = tokens();
  TokenAnswer answer = CO_TRY(answer_about_tokens({.tokens = *now,
                                                   .request = exchange.request(),
                                                   .now_s = io::Reactor::current()->clock().now().seconds,
                                                   .default_uid = geteuid(),
                                                   .default_gid = getegid(),
                                                   .random = system_random()}));
  if (answer.changed) {
    CO_TRY(co_await keep_(render_tokens(*answer.changed)));
    log::info("tokens: {} there were, {} there are", now->size(), answer.changed->size());
    auto changed = std::make_shared<const std::vector<Token>>(*std::move(answer.changed));
    const std::lock_guard lock(tokens_mutex_);
    tokens_ = std::move(changed);
  }
  guard.release();
  co_return co_await exchange.respond(std::move(answer.response));
}

}  // namespace firn::http
