#include "io/cancel.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace firn::io {
namespace {

TEST(CancelToken, RunsCallbacksOnceInOrder) {
  CancelToken token;
  std::vector<int> ran;
  CancelToken::Scope first(&token, [&] { ran.push_back(1); });
  CancelToken::Scope second(&token, [&] { ran.push_back(2); });
  {
    CancelToken::Scope gone(&token, [&] { ran.push_back(3); });
  }
  EXPECT_FALSE(token.cancelled());
  token.cancel();
  token.cancel();
  EXPECT_TRUE(token.cancelled());
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
  EXPECT_TRUE(first.release());
}

TEST(CancelToken, ALateCallbackRunsAtOnce) {
  CancelToken token;
  token.cancel();
  bool ran = false;
  CancelToken::Scope scope(&token, [&] { ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_TRUE(scope.release());
}

TEST(CancelToken, ANullTokenNeverRuns) {
  CancelToken::Scope scope(nullptr, [] { FAIL(); });
  EXPECT_FALSE(scope.release());
}

TEST(CancelToken, ACallbackMayDestroyItsOwnScopeAndOthers) {
  CancelToken token;
  std::optional<CancelToken::Scope> first, second;
  first.emplace(&token, [&] {
    first.reset();
    second.reset();
  });
  second.emplace(&token, [] { FAIL() << "was unregistered before its turn"; });
  token.cancel();
  EXPECT_FALSE(second.has_value());
}

// The scope's destructor waits for the callback, so what the callback touches may go right after it.
TEST(CancelToken, DestructionWaitsForARunningCallback) {
  for (int round = 0; round < 500; ++round) {
    CancelToken token;
    auto touched = std::make_unique<int>(0);
    std::thread canceller([&token] { token.cancel(); });
    bool ran = false;
    {
      CancelToken::Scope scope(&token, [&touched] { *touched = 42; });
      ran = scope.release();
    }
    EXPECT_EQ(*touched, ran ? 42 : 0);
    touched.reset();
    canceller.join();
  }
}

}  // namespace
}  // namespace firn::io
