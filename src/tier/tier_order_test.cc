// When the next tier is asked as well: when the first one does not answer, not when it is slow.
#include "tier/tier_order.h"

#include <gtest/gtest.h>

#include <array>

#include "io/sim/sim_reactor.h"
#include "io/sync.h"
#include "io/test_environment.h"
#include "object/mem/mem_store.h"

namespace firn::tier {
namespace {

using io::Task;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kChunk = 4 << 20;

// The near tier brings a chunk in parts, one after the other; the far one has it at once.
struct World {
  template <class T>
  T run(Task<T> task) {
    return io::run_to_end(reactor, std::move(task));
  }

  // Which tier had it.
  Task<std::optional<size_t>> ask(uint64_t bytes) {
    std::vector<TierOrder::Failure> failures;
    co_return co_await order.first_answer(
        3, bytes, [this](size_t tier, io::CancelToken* token) { return bring(tier, token); }, failures, nullptr);
  }
  Task<Result<void>> bring(size_t tier, io::CancelToken* token) {
    ++asked[tier];
    for (int part = 0; tier == 0 && part < parts; ++part) {
      if (!co_await io::sleep_for(part_ns, token)) co_return fail(Code::kInterrupted);
      if (tells) near.note_arrival(kChunk / static_cast<uint64_t>(parts));
    }
    co_return Result<void>();
  }
  int64_t now_ns() { return reactor.clock().monotonic_ns(); }

  io::SimReactor reactor{{.seed = 1}};
  object::MemStore mem;
  object::Health near;
  const Tiers tiers{{"near", mem, &near}, {"far", mem}};
  TierOrder order{tiers};
  std::array<int, 2> asked{};
  int parts = 1;
  int64_t part_ns = 0;
  bool tells = true;  // that bytes come
};

Task<void> slow_but_moving(World* world) {
  world->parts = 64;
  world->part_ns = kSecondNs;
  EXPECT_EQ(co_await world->ask(kChunk), 0u);
  EXPECT_EQ(world->asked, (std::array{1, 0}));
}
TEST(TierOrder, AsksOneFromWhichBytesComeAlone) {
  World world;
  world.run(slow_but_moving(&world));
}

Task<void> slow_and_mute(World* world) {
  world->tells = false;
  world->part_ns = 4 * kSecondNs;
  EXPECT_EQ(co_await world->ask(kChunk), 0u);
  EXPECT_EQ(world->asked, (std::array{1, 0}));
  EXPECT_EQ(co_await world->ask(4096), 1u) << "so little is not waited for as long";
}
TEST(TierOrder, GivesALargePartItsTime) {
  World world;
  world.run(slow_and_mute(&world));
}

Task<void> read_chunk(World* world, size_t* from_near, io::Gate::Entry) {
  *from_near += co_await world->ask(kChunk) == 0u;
}
// Each comes after a minute, as it shares the line with the others.
Task<void> many_at_once(World* world) {
  world->parts = 20;
  world->part_ns = 3 * kSecondNs;
  io::Gate gate;
  size_t from_near = 0;
  for (int i = 0; i < 32; ++i) {
    io::detach(read_chunk(world, &from_near, gate.enter()));
    co_await io::sleep_for(kSecondNs / 10);
  }
  co_await gate.close();
  EXPECT_EQ(from_near, 32u);
  EXPECT_EQ(world->asked, (std::array{32, 0}));
}
TEST(TierOrder, CountsWhatComesForOthers) {
  World world;
  world.run(many_at_once(&world));
}

Task<void> stops(World* world) {
  world->parts = 2;
  world->part_ns = 5 * kSecondNs;
  const int64_t begun_ns = world->now_ns();
  io::Gate gate;
  size_t from_near = 0;
  io::detach(read_chunk(world, &from_near, gate.enter()));
  co_await io::sleep_for(6 * kSecondNs);
  world->part_ns = 1000 * kSecondNs;
  world->parts = 1000;
  co_await gate.close();
  EXPECT_LT(world->now_ns() - begun_ns, 20 * kSecondNs);
  EXPECT_EQ(from_near, 0u);
  EXPECT_EQ(co_await world->ask(kChunk), 1u) << "and it is asked last from then on";
  EXPECT_EQ(world->asked, (std::array{1, 2}));
}
TEST(TierOrder, AsksTheNextWhenNothingComesAnyMore) {
  World world;
  world.run(stops(&world));
}

// One that was passed over, and moves again, is the nearest again.
Task<void> comes_back(World* world) {
  world->parts = 1000;
  world->part_ns = 1000 * kSecondNs;
  EXPECT_EQ(co_await world->ask(4096), 1u);
  world->parts = 64;
  world->part_ns = kSecondNs / 4;
  co_await io::sleep_for(11 * kSecondNs);
  EXPECT_EQ(co_await world->ask(kChunk), 0u) << "a trial waits while bytes come";
  EXPECT_EQ(co_await world->ask(kChunk), 0u);
}
TEST(TierOrder, FindsThatASlowOneIsBack) {
  World world;
  world.run(comes_back(&world));
}

}  // namespace
}  // namespace firn::tier
