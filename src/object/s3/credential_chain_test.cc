// Callers of one chain whose source takes its time.
#include <gtest/gtest.h>

#include "io/sync.h"
#include "io/test_environment.h"
#include "object/s3/credentials.h"

namespace firn::object::s3 {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

int64_t now_ns() { return io::Reactor::current()->clock().monotonic_ns(); }

// Takes `takes_s`, if it may. What it says holds for two minutes, so more is asked for at once.
class SlowSource final : public CredentialSource {
 public:
  io::Task<Result<std::optional<Credentials>>> fetch(io::Until until) override {
    ++asked;
    const std::string key = "k" + std::to_string(asked);
    const int64_t end_ns = now_ns() + takes_s * kSecondNs;
    const bool too_long = until.deadline_ns != 0 && until.deadline_ns < end_ns;
    co_await io::sleep_for((too_long ? until.deadline_ns : end_ns) - now_ns(), until.token);
    if (mute && (too_long || (until.token != nullptr && until.token->cancelled()))) co_return std::nullopt;
    if (until.token != nullptr && until.token->cancelled()) co_return fail(Code::kInterrupted);
    if (too_long) co_return fail(Code::kTimedOut, "it takes too long");
    if (fails) co_return fail(Code::kAccessDenied, "it fails");
    co_return Credentials{
        .access_key_id = key, .secret_access_key = "s", .expires_s = system_clock().now().seconds + 120};
  }

  int asked = 0;
  int64_t takes_s = 0;
  bool fails = false;
  bool mute = false;  // what is cut short says that there are none, as the instance's metadata does
};

class CredentialChainTest : public ::testing::Test {
 protected:
  CredentialChainTest() {
    std::vector<std::unique_ptr<CredentialSource>> sources;
    sources.push_back(std::make_unique<SlowSource>());
    source = static_cast<SlowSource*>(sources.front().get());
    chain = std::make_unique<CredentialChain>(std::move(sources));
  }

  struct Told {
    std::string what;  // "KEY at SECOND", or the failure's code
  };
  // Asks after `begin_s`, for at most `within_s` (0: no limit).
  io::Task<void> ask(int64_t begin_s, int64_t within_s, Told* told, io::Gate::Entry, io::CancelToken* token = nullptr) {
    const int64_t epoch_ns = now_ns();
    if (begin_s > 0) co_await io::sleep_for(begin_s * kSecondNs);
    const auto found =
        co_await chain->get(within_s == 0 ? io::Until{.token = token} : io::within(within_s * kSecondNs, token));
    told->what = (found ? found->access_key_id : std::string(code_name(found.error().code()))) + " at " +
                 std::to_string((now_ns() - epoch_ns) / kSecondNs);
  }
  io::Task<void> cancel(int64_t after_s, io::CancelToken* token) {
    co_await io::sleep_for(after_s * kSecondNs);
    token->cancel();
  }
  struct Caller {
    int64_t begin_s, within_s;
    std::string expected;
  };
  io::Task<void> all(std::vector<Caller> callers) {
    io::Gate gate;
    std::vector<Told> told(callers.size());
    for (size_t i = 0; i < callers.size(); ++i)
      io::detach(ask(callers[i].begin_s, callers[i].within_s, &told[i], gate.enter()));
    co_await gate.close();
    for (size_t i = 0; i < callers.size(); ++i) EXPECT_EQ(told[i].what, callers[i].expected) << "caller " << i;
  }

  std::unique_ptr<io::TestEnvironment> environment = io::make_sim_environment();
  SlowSource* source = nullptr;
  std::unique_ptr<CredentialChain> chain;
};

io::Task<void> run_all(io::Task<void> first, io::Task<void> second, io::Task<void> canceller, io::Gate* gate) {
  io::detach(std::move(first));
  io::detach(std::move(second));
  io::detach(std::move(canceller));
  co_await gate->close();
}

TEST_F(CredentialChainTest, WhoWaitsForAnothersSearchDoesSoInItsOwnTime) {
  source->takes_s = 35;
  environment->run(all({{0, 60, "k1 at 35"}, {1, 2, "timed out at 3"}, {2, 0, "k1 at 35"}, {3, 40, "k1 at 35"}}));
  EXPECT_EQ(source->asked, 1);
}

TEST_F(CredentialChainTest, WhoseTimeIsOverLeavesTheSearchToTheNext) {
  source->takes_s = 10;
  environment->run(all({{0, 5, "timed out at 5"}, {1, 30, "k2 at 15"}, {2, 30, "k2 at 15"}}));
  EXPECT_EQ(source->asked, 2);
}

TEST_F(CredentialChainTest, WhatIsCutShortTellsNobodyThatThereAreNone) {
  source->takes_s = 10;
  source->mute = true;
  environment->run(all({{0, 5, "permission denied at 5"}, {1, 30, "k2 at 15"}}));
  io::Gate gate;
  io::CancelToken token;
  Told searching, waiting;
  chain->refuse({.access_key_id = "k2"});
  environment->run(run_all(ask(0, 60, &searching, gate.enter(), &token), ask(1, 60, &waiting, gate.enter()),
                           cancel(4, &token), &gate));
  EXPECT_EQ(waiting.what, "k4 at 14");
}

TEST_F(CredentialChainTest, WhoWaitsLearnsOfAFailure) {
  source->takes_s = 3;
  source->fails = true;
  const std::string denied = std::string(code_name(Code::kAccessDenied)) + " at ";
  environment->run(all({{0, 60, denied + "3"}, {1, 60, denied + "3"}, {2, 0, denied + "3"}, {4, 60, denied + "7"}}));
  EXPECT_EQ(source->asked, 2);
}

TEST_F(CredentialChainTest, WhoWaitsCanBeCancelled) {
  source->takes_s = 35;
  io::Gate gate;
  io::CancelToken token;
  Told searching, waiting;
  environment->run(run_all(ask(0, 60, &searching, gate.enter()), ask(1, 60, &waiting, gate.enter(), &token),
                           cancel(4, &token), &gate));
  EXPECT_EQ(searching.what, "k1 at 35");
  EXPECT_EQ(waiting.what, std::string(code_name(Code::kInterrupted)) + " at 4");
}

TEST_F(CredentialChainTest, WhatIsStillValidIsGivenOutWhileOneAsksForMore) {
  environment->run(all({{0, 60, "k1 at 0"}}));
  source->takes_s = 50;
  // 31 s later one asks, beyond the 30 s after which another one might; none waits for it.
  environment->run(all({{31, 0, "k2 at 81"}, {32, 5, "k1 at 32"}, {65, 5, "k1 at 65"}, {82, 5, "k2 at 82"}}));
  EXPECT_EQ(source->asked, 2);
  // Who asks in vain has half of its time left.
  environment->run(all({{31, 20, "k2 at 41"}, {32, 5, "k2 at 32"}, {42, 5, "k2 at 42"}}));
  EXPECT_EQ(source->asked, 3);
}

}  // namespace
}  // namespace firn::object::s3
