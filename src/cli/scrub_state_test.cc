#include "cli/scrub_state.h"

#include <gtest/gtest.h>

#include "io/block_on.h"
#include "io/sim/sim_reactor.h"
#include "kv/mem/mem_engine.h"

namespace firn::cli {
namespace {

constexpr int64_t kDayNs = int64_t{24} * 3600 * 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000;

TEST(ScrubState, OutlivesRestarts) {
  io::SimReactor reactor({.seed = 1});
  const auto engine = kv::make_mem_engine();
  EXPECT_EQ(io::run_to_end(reactor, load_scrub_state(*engine)).value(), ScrubState());
  const ScrubState state{.ended_seconds = kNow, .hot_done = true, .cursor = "00ff"};
  ASSERT_TRUE(io::run_to_end(reactor, save_scrub_state(*engine, state)));
  EXPECT_EQ(io::run_to_end(reactor, load_scrub_state(*engine)).value(), state);
  EXPECT_EQ(decode_scrub_state("not JSON"), ScrubState());
  EXPECT_EQ(decode_scrub_state(R"({"ended":"x","cursor":7,"hot_done":1})"), ScrubState());
}

TEST(ScrubState, IsDueADayAfterTheLastOneEnded) {
  EXPECT_EQ(ScrubState().due_in_ns(kNow, kDayNs), 0);  // never yet
  EXPECT_EQ(ScrubState{.ended_seconds = kNow}.due_in_ns(kNow, kDayNs), kDayNs);
  EXPECT_EQ(ScrubState{.ended_seconds = kNow - 3600}.due_in_ns(kNow, kDayNs), kDayNs / 24 * 23);
  EXPECT_EQ(ScrubState{.ended_seconds = kNow - 1'000'000}.due_in_ns(kNow, kDayNs), 0);
  EXPECT_EQ(ScrubState{.ended_seconds = kNow + 1'000'000}.due_in_ns(kNow, kDayNs), 0);  // the clock was set back
  EXPECT_EQ((ScrubState{.ended_seconds = kNow, .cursor = "5"}.due_in_ns(kNow, kDayNs)), 0);
  EXPECT_EQ((ScrubState{.ended_seconds = kNow, .hot_done = true}.due_in_ns(kNow, kDayNs)), 0);
}

}  // namespace
}  // namespace firn::cli
