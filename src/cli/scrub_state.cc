#include "cli/scrub_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "meta/keys.h"

namespace firn::cli {

namespace {

using nlohmann::json;

constexpr int64_t kSecond = 1'000'000'000;

meta::Key state_key() { return meta::counter_key("scrub"); }

}  // namespace

int64_t ScrubState::due_in_ns(int64_t now_seconds, int64_t every_ns) const {
  // A clock that was set back by years is no reason to wait for as long.
  if (under_way() || ended_seconds == 0 || now_seconds < ended_seconds) return 0;
  const int64_t age_seconds = std::min(now_seconds - ended_seconds, every_ns / kSecond);
  return every_ns - age_seconds * kSecond;
}

std::string encode_scrub_state(const ScrubState& state) {
  return json{{"ended", state.ended_seconds}, {"hot_done", state.hot_done}, {"cursor", state.cursor}}.dump();
}

ScrubState decode_scrub_state(std::string_view bytes) {
  const json body = json::parse(bytes, nullptr, false);
  ScrubState state;
  if (!body.is_object()) return state;
  if (const auto found = body.find("ended"); found != body.end() && found->is_number_integer())
    state.ended_seconds = found->get<int64_t>();
  if (const auto found = body.find("hot_done"); found != body.end() && found->is_boolean())
    state.hot_done = found->get<bool>();
  if (const auto found = body.find("cursor"); found != body.end() && found->is_string())
    state.cursor = found->get<std::string>();
  return state;
}

io::Task<Result<ScrubState>> load_scrub_state(kv::Engine& engine) {
  const auto transaction = engine.begin();
  const auto stored = CO_TRY(co_await transaction->get(state_key(), kv::Isolation::kSnapshot));
  co_return stored ? decode_scrub_state(*stored) : ScrubState();
}

io::Task<Result<void>> save_scrub_state(kv::Engine& engine, ScrubState state) {
  const auto transaction = engine.begin();
  transaction->put(state_key(), encode_scrub_state(state));
  CO_TRY(co_await transaction->commit());
  co_return Result<void>();
}

}  // namespace firn::cli
