#include "tier/metadata/log_payload.h"

namespace firn::tier {

namespace {

// Checked before anything is applied, so that damage is found while the state is still a prefix of the commits.
Status check(std::string_view payload) {
  while (!payload.empty()) {
    const std::string_view batch = TRY(take_commit(payload));
    TRY(kv::for_each_write(batch, [](std::string_view, std::string_view) {}, [](std::string_view) {}));
  }
  return {};
}

}  // namespace

io::Task<Result<void>> apply_log(kv::Engine& engine, std::string payload) {
  CO_TRY(check(payload));
  for (std::string_view rest = payload; !rest.empty();) {
    const std::string_view batch = CO_TRY(take_commit(rest));
    const std::unique_ptr<kv::Transaction> transaction = engine.begin();
    CO_TRY(kv::for_each_write(
        batch, [&](std::string_view key, std::string_view value) { transaction->put(key, value); },
        [&](std::string_view key) { transaction->erase(key); }));
    CO_TRY(co_await transaction->commit());
  }
  co_return Result<void>();
}

}  // namespace firn::tier
