// What was committed where, so that whatever comes back can be judged: it must be the state after some commit, and
// descend from every commit that was acknowledged.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "kv/counter.h"
#include "kv/kv.h"

namespace firn::tier::testing {

using State = std::map<std::string, std::string>;

// Every commit writes its number to this key.
inline constexpr const char* kNumberKey = "number";

class History {
 public:
  using Number = uint64_t;  // 0: the empty state

  // A random commit on top of `state`'s keys, put into `transaction`; then add() it, if it succeeded.
  struct Draft {
    Number number = 0;
    std::vector<std::pair<std::string, std::optional<std::string>>> writes;
    int64_t added = 0;
  };
  Draft draft(Random& random, kv::Transaction& transaction) {
    Draft draft{.number = ++drafted_};
    std::map<std::string, std::optional<std::string>> writes;
    for (uint64_t count = 1 + random.below(3); count > 0; --count)
      writes["k" + std::to_string(random.below(15))] =
          random.below(4) == 0
              ? std::nullopt
              : std::optional(std::string(random.below(60), static_cast<char>('a' + random.below(26))));
    writes[kNumberKey] = std::to_string(draft.number);
    draft.writes.assign(writes.begin(), writes.end());
    for (const auto& [key, value] : draft.writes) value ? transaction.put(key, *value) : transaction.erase(key);
    draft.added = static_cast<int64_t>(random.below(1000));
    transaction.add("sum", draft.added);
    return draft;
  }
  // `parent`: the commit before it in the same engine.
  void add(const Draft& draft, Number parent) {
    State state = states_.at(parent);
    for (const auto& [key, value] : draft.writes) {
      if (value)
        state[key] = *value;
      else
        state.erase(key);
    }
    const int64_t before = state.contains("sum") ? *kv::decode_counter(state["sum"]) : 0;
    state["sum"] = kv::encode_counter(before + draft.added);
    states_[draft.number] = std::move(state);
    parents_[draft.number] = parent;
  }
  void acknowledge(Number number) { acknowledged_.insert(number); }
  size_t acknowledged() const { return acknowledged_.size(); }

  // Which commit `state` is after; a failure when it is after none.
  Number identify(const State& state, const char* what) const {
    const Number number = state.contains(kNumberKey) ? std::stoull(state.at(kNumberKey)) : 0;
    EXPECT_TRUE(states_.contains(number) && states_.at(number) == state)
        << what << ": this is not the state after commit " << number;
    return number;
  }
  bool descends(Number number, Number from) const {
    for (; number != from && number != 0;) number = parents_.at(number);
    return number == from;
  }
  void expect_all_acknowledged(Number number, const char* what) const {
    for (const Number one : acknowledged_)
      EXPECT_TRUE(descends(number, one)) << what << ": commit " << number << " lacks acknowledged commit " << one;
  }

  static io::Task<State> read(kv::Engine& engine) {
    State state;
    const std::unique_ptr<kv::Transaction> transaction = engine.begin();
    const auto pairs = co_await transaction->scan({}, 1'000'000, kv::Isolation::kSnapshot);
    EXPECT_TRUE(pairs) << pairs.error().to_string();
    if (pairs)
      for (const kv::Pair& pair : *pairs) state[pair.key] = pair.value;
    co_return state;
  }

 private:
  Number drafted_ = 0;
  std::map<Number, State> states_ = {{0, {}}};
  std::map<Number, Number> parents_;
  std::set<Number> acknowledged_;
};

}  // namespace firn::tier::testing
